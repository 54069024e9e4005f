// The public face of core, listed by hand. Other packages import from here only.
export { fixedClock, systemClock, type Clock } from './clock.ts';
export { readConfiguration, type Configuration, type ConfigurationSources } from './configuration/read.ts';
export { factsOf, settingNames, Settings, type SettingFacts, type SettingName } from './configuration/settings.ts';
export { choicesOf, faultOf, fromText, kindOf, suggestionFor } from './configuration/text.ts';
export { catalogue, type ErrorCode, type ExitCode } from './errors/catalogue.ts';
export { isSafekeepError, SafekeepError, type ErrorReport, type Particulars } from './errors/error.ts';
export { newId, parseId, type Id } from './ids.ts';
export { Secret } from './secret.ts';
