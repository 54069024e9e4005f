// Empty schemas of several kinds and languages, written for the tests, each column with the truth about it:
// `+` personal, `-` not, `~` either would be fair. Types are short: i integer, t text, d date, z timestamp, b boolean, n numeric, u uuid, j jsonb, x bytea, a inet.
const TYPES: Readonly<Record<string, string>> = {
  i: 'integer',
  t: 'text',
  d: 'date',
  z: 'timestamptz',
  b: 'boolean',
  n: 'numeric(12, 2)',
  u: 'uuid',
  j: 'jsonb',
  x: 'bytea',
  a: 'inet',
};

export type Truth = 'personal' | 'not' | 'either';

const MARKS: Readonly<Record<string, Truth>> = { '+': 'personal', '-': 'not', '~': 'either' };

export type LabelledSchema = { readonly name: string; readonly ddl: string; readonly truth: ReadonlyMap<string, Truth> };

const SCHEMAS: Readonly<Record<string, string>> = {
  english_clinic: `
    patients: patient_id i ~ pk, mrn t +, given_name t +, family_name t +, dob d +, sex t +, ssn t +, marital_status t +, addr_line_1 t +, city t +, state t +, zip t +, home_phone t +, email t +, email_verified b -, preferred_language t +, primary_insurance_id i -, created_at z -, is_active b -
    physicians: physician_id i ~ pk, first_name t +, last_name t +, npi t +, specialty t ~, pager t +
    encounters: encounter_id i - pk, patient_id i ~ >patients, physician_id i ~ >physicians, admitted_at z ~, reason_for_visit t +, discharge_summary t +, status t -
    lab_results: result_id i - pk, encounter_id i - >encounters, test_code t ~, result_value t +, unit t -
    allergies: allergy_id i - pk, patient_id i ~ >patients, allergen t +, severity t ~, noted_on d -
    icd_codes: code t ~ pk, description t -, chapter t -
    wards: ward_id i - pk, name t -, floor i -, phone_extension t -`,
  german_handwerk: `
    kunden: kundennr i ~ pk, anrede t ~, vorname t +, nachname t +, strasse t +, hausnummer t +, plz t +, ort t +, telefon t +, email t +, geburtsdatum d +, kontonummer t +, bemerkung t +, angelegt_am z -, aktiv b -
    mitarbeiter: id i ~ pk, name t +, personalnummer t +, gehalt n +, steuerklasse t +, sozialversicherungsnummer t +, eintrittsdatum d ~, abteilung_id i -
    abteilungen: id i - pk, bezeichnung t -, kostenstelle t -
    auftraege: id i - pk, kundennr i ~ >kunden, bearbeiter_id i ~ >mitarbeiter, auftragsdatum d -, summe n ~, status t -, lieferanschrift t +
    lieferanten: id i - pk, firma t -, ansprechpartner t +, webseite t -
    artikel: artikelnr i - pk, bezeichnung t -, preis n -, gewicht n -, lagerbestand i -`,
  french_school: `
    eleves: id i ~ pk, nom t +, prenom t +, date_naissance d +, lieu_naissance t +, sexe t +, adresse t +, code_postal t +, ville t +, nationalite t +, classe_id i -, photo x +
    enseignants: id i ~ pk, nom t +, prenom t +, courriel t +, telephone t +, numero_securite_sociale t +, salaire n +
    classes: id i - pk, libelle t -, niveau t -, effectif i -
    notes: id i - pk, eleve_id i ~ >eleves, matiere_id i -, valeur n ~, commentaire t +, date_saisie d -
    matieres: id i - pk, nom t -, coefficient n -
    responsables: id i ~ pk, eleve_id i ~ >eleves, nom t +, prenom t +, profession t +, tel_portable t +`,
  spanish_shop: `
    clientes: id i ~ pk, nombre t +, apellidos t +, dni t +, fecha_nacimiento d +, correo_electronico t +, telefono_movil t +, direccion t +, codigo_postal t +, poblacion t +, contrasena t +, fecha_alta d -
    pedidos: id i - pk, cliente_id i ~ >clientes, fecha d -, importe n ~, estado t -, observaciones t +
    productos: id i - pk, nombre t -, descripcion t -, precio n -, existencias i -, proveedor_id i -
    proveedores: id i - pk, nombre t -, cif t ~, persona_contacto t +
    tarjetas: id i - pk, cliente_id i ~ >clientes, numero_tarjeta t +, titular t +, fecha_caducidad_tarjeta t +`,
  italian_hr: `
    dipendenti: matricola t ~ pk, nome t +, cognome t +, codice_fiscale t +, data_nascita d +, luogo_nascita t +, indirizzo t +, cap t +, comune t +, provincia t +, cellulare t +, iban t +, stipendio n +, titolo_studio t +, reparto_id i -
    reparti: id i - pk, nome t -, budget n -
    presenze: id i - pk, dipendente t ~ >dipendenti, giorno d -, ore n -
    malattie: id i - pk, dipendente t ~ >dipendenti, diagnosi t +, data_inizio d -`,
  dutch_housing: `
    huurders: huurder_id i ~ pk, voorletters t +, tussenvoegsel t +, achternaam t +, geboortedatum d +, bsn t +, emailadres t +, telefoonnummer t +, rekeningnummer t +, inkomen n +
    woningen: woning_id i - pk, oppervlakte n -, bouwjaar i -, type t -
    contracten: contract_id i - pk, huurder_id i ~ >huurders, woning_id i - >woningen, begindatum d -, huurprijs n ~`,
  camel_forum: `
    AppUsers: UserId i ~ pk, UserName t +, EmailAddress t +, EmailConfirmed b -, PasswordHash t +, SecurityStamp t ~, PhoneNumber t +, PhoneNumberConfirmed b -, TwoFactorEnabled b -, LockoutEnd z -, AccessFailedCount i -, FirstName t +, LastName t +, AvatarUrl t +, LastLoginIp a +, CreatedAt z -
    Threads: ThreadId i - pk, CategoryId i -, Title t ~, Slug t -, ViewCount i -, CreatedBy i ~ >AppUsers
    Posts: PostId i - pk, ThreadId i - >Threads, AuthorId i ~ >AppUsers, Body t +, PostedAt z -, IsDeleted b -, AuthorIp a +
    Categories: CategoryId i - pk, Name t -, Description t -, SortOrder i -
    EmailTemplates: TemplateId i - pk, Subject t -, BodyHtml t -, Locale t -
    PrivateMessages: MessageId i - pk, SenderId i ~ >AppUsers, RecipientId i ~ >AppUsers, MessageText t +, ReadAt z -`,
  bank: `
    account_holders: holder_id u ~ pk, full_legal_name t +, date_of_birth d +, tax_id_number t +, nationality t +, residential_address t +, postcode t +, mobile_no t +, email t +, annual_income n +, employment_status t ~, pep_flag b ~
    accounts: account_id u - pk, holder_id u ~ >account_holders, iban t +, balance n ~, currency t -, opened_on d -, status t -
    cards: card_id u - pk, account_id u - >accounts, pan t +, cardholder_name t +, expiry_month i +, cvv t +, card_type t -
    transactions: transaction_id u - pk, account_id u - >accounts, amount n ~, booked_at z -, counterparty_name t +, counterparty_iban t +, reference_text t ~
    branches: branch_id i - pk, name t -, street t -, city t -, phone t -
    exchange_rates: base t -, quote t -, rate n -, as_of d -`,
  unseparated: `
    customer: custid i ~ pk, custfirstname t +, custlastname t +, emailaddress t +, phonenumber t +, streetaddress t +, zipcode t +, dateofbirth d +, passportnumber t +, lastlogin z -, logincount i -
    orderitem: orderitemid i - pk, productid i -, quantity i -, unitprice n -
    product: productid i - pk, productname t -, productcode t -, weight n -, countryoforigin t -`,
};

export const labelledSchemas: readonly LabelledSchema[] = Object.entries(SCHEMAS).map(([name, text]) => read(name, text));

function read(schema: string, text: string): LabelledSchema {
  const truth = new Map<string, Truth>();
  const keys = new Map<string, string>();
  const tables: string[] = [];
  const references: string[] = [];
  for (const line of text.trim().split('\n')) {
    const [table = '', list = ''] = line.trim().split(/:\s*/, 2);
    const columns = list.split(/,\s*/).map((written) => {
      const [column = '', type = '', mark = '', more = ''] = written.split(' ');
      truth.set(`${table}.${column}`, MARKS[mark] ?? 'either');
      if (more === 'pk') keys.set(table, column);
      if (more.startsWith('>'))
        references.push(`alter table "${table}" add foreign key ("${column}") references "${more.slice(1)}"`);
      return `"${column}" ${TYPES[type] ?? 'text'}${more === 'pk' ? ' primary key' : ''}`;
    });
    tables.push(`create table "${table}" (${columns.join(', ')})`);
  }
  return {
    name: schema,
    ddl: `create schema ${schema}; set search_path = ${schema}; ${[...tables, ...references].join('; ')}`,
    truth,
  };
}
