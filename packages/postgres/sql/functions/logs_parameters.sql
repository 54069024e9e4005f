-- needs: 0001
-- object: function safekeep.logs_parameters()
--
-- Which setting makes the server write the parameters of this session's statements into its log; null where none does.
create or replace function safekeep.logs_parameters() returns text
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
  as $$
  -- A setting of an extension that is not there reads as null, or as '' once a transaction of this session has set it.
  select case
    when current_setting('log_parameter_max_length_on_error') <> '0' then 'log_parameter_max_length_on_error is not 0'
    when current_setting('pgaudit.log_parameter', true) = 'on' and coalesce(nullif(current_setting('pgaudit.log', true), ''), 'none') not in ('', 'none')
      then 'pgaudit logs parameters'
    when coalesce(nullif(current_setting('auto_explain.log_min_duration', true), ''), '-1') <> '-1'
         and (coalesce(nullif(current_setting('auto_explain.log_parameter_max_length', true), ''), '0') <> '0'
              -- With the parameter folded into the plan, a verbose plan shows it.
              or coalesce(nullif(current_setting('auto_explain.log_verbose', true), ''), 'off') = 'on')
      then 'auto_explain logs parameters or verbose plans'
    when current_setting('debug_print_plan') = 'on' then 'debug_print_plan is on'
    when current_setting('log_parameter_max_length') = '0' then null
    when current_setting('log_statement') in ('all', 'mod') then 'log_statement is ' || current_setting('log_statement')
    when current_setting('log_duration') = 'on' then 'log_duration is on'
    when current_setting('log_min_duration_statement') <> '-1' then 'log_min_duration_statement is set'
    when current_setting('log_min_duration_sample') <> '-1' then 'log_min_duration_sample is set'
    when current_setting('log_transaction_sample_rate') <> '0' then 'log_transaction_sample_rate is set'
  end
$$;
