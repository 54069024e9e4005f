/** German. */
export const de = `
first-name: vorname | rufname | vornamen
last-name: nachname | familienname | zuname
maiden-name: geburtsname | mädchenname
full-name: vollständiger name | name vorname | anzeigename | kontoinhaber | rechnungsempfänger | empfängername
contact-name: ansprechpartner | kontaktperson | ansprechperson
reason: grund
honorific: anrede | titel | akademischer titel
name: bezeichnung? | namen
email: e-mail-adresse | mailadresse | emailadresse | email adresse | epost
phone: telefon | telefonnummer | telefonnr | handy | handynummer | mobilnummer | mobiltelefon | rufnummer | mobil | festnetz | durchwahl | telefonmobil | telefonprivat | tel privat
fax: telefax | faxnummer
address: anschrift | adresse | adresszeile | wohnadresse | adresszusatz | lieferanschrift | rechnungsanschrift | lieferadresse | rechnungsadresse | wohnsitz | zusatz?
street: straße | strasse | hausnummer | hausnr | strassenname | postfach | strasse hausnummer | str?
city: ort? | stadt | wohnort | ortsname | gemeinde
state: bundesland | kanton | landkreis
postcode: plz | postleitzahl
country: land? | staat? | länderkennzeichen | landeskennzahl
latitude: breitengrad
longitude: längengrad
username: benutzername | anmeldename | benutzerkennung | benutzerkonto | loginname | nutzername
birth-date: geburtsdatum | geb datum | gebdat | geburtstag | geb dat | gebdatum | geb?
birth-place: geburtsort | geburtsland
birth-year: geburtsjahr
age: lebensalter | altersgruppe
gender: geschlecht
marital: familienstand | personenstand
death-date: todesdatum | sterbedatum | todestag | verstorben am
race: ethnie | ethnische herkunft | rasse?
religion: konfession | religionszugehörigkeit | glaubensbekenntnis | kirchensteuer
politics: parteizugehörigkeit
union: gewerkschaft | gewerkschaftsmitglied
citizenship: staatsangehörigkeit | nationalität | staatsbürgerschaft | aufenthaltsstatus | aufenthaltstitel
language: muttersprache | sprache
education: schulabschluss | bildungsabschluss | ausbildung
income: gehalt | lohn | einkommen | bruttogehalt | nettogehalt | stundenlohn | grundgehalt | brutto | netto? | monatsgehalt | vergütung | jahresgehalt
balance: kontostand
job: beruf | berufsbezeichnung | tätigkeit | stellenbezeichnung
employer: arbeitgeber | arbeitsplatz
photo: foto | lichtbild | passbild | profilbild | bild?
signature: unterschrift
height: körpergröße | grösse?
weight: körpergewicht | gewicht
relative: notfallkontakt | ehepartner | angehöriger | angehörige | vater | mutter | erziehungsberechtigter | notfallkontakt name
ssn: sozialversicherungsnummer | svnr | sv nummer | ahv nummer | ahvnr | personalausweisnummer | ausweisnummer | personalausweis | ausweisnr | rentenversicherungsnummer | sozialversicherungsnr | sv nr | ahv nr
tax-id: steuernummer | steuer id | steueridentifikationsnummer | steuerid | steuer identifikationsnummer | steuernr | steuerklasse
passport: reisepass | reisepassnummer | passnummer | passnr | pass nr
license: führerschein | führerscheinnummer | lanr | führerscheinnr
vehicle: kennzeichen? | kfz kennzeichen | fahrgestellnummer | kfzkennzeichen
iban: kontonummer | bankverbindung | bankleitzahl | blz | kontonr | ktonr | mandatsreferenz
card-number: kreditkartennummer | kartennummer | kreditkarte
card-expiry: gültig bis karte
diagnosis: diagnosen | diagnose | diagnosecode | hauptdiagnose
condition: krankheit | erkrankung | vorerkrankung | vorerkrankungen | anamnese | befund | befunde | krankengeschichte | beschwerden
symptom: symptome
allergy: allergien | allergie
medication: medikament | medikamente | medikation | arzneimittel | wirkstoff | dosierung | verordnung | rezept?
treatment: behandlung | therapie | eingriff | operation? | behandlungsart | heilmittel
laboratory: blutgruppe | blutdruck | laborwert | laborwerte | blutzucker
immunisation: impfung | impfungen | impfstatus
disability: behinderung | schwerbehinderung | grad der behinderung | behinderungsgrad | schwerbehindert
pregnancy: schwangerschaft | schwanger
substance: raucher
record-no: patientennummer | fallnummer | patientennr | patnr | krankenaktennummer
insurance-no: krankenversicherungsnummer | versichertennummer | kvnr | versicherungsnummer | krankenversichertennummer | versichertennr | policennummer | versicherungsnr
insurance: krankenkasse | krankenversicherung
password: passwort | kennwort | passworthash | kennwort hash
note: bemerkung | bemerkungen | notiz | notizen | anmerkung | anmerkungen | kommentar | hinweis?
message: nachricht | nachrichtentext | freitext
bio: lebenslauf | über mich
criminal: vorstrafen | führungszeugnis | vorstrafe | straftat
children: kinder | anzahl kinder | kinderzahl
student-no: matrikelnummer | matrikelnr | matrikel | schülernummer
employee-no: personalnummer | personalnr | mitarbeiternummer | pers nr | persnr | mitarbeiternr
member-no: kundennummer | mitgliedsnummer | kundennr | mitgliedsnr | kdnr | kd nr
grade: note schule | zensur | schulnote | abschlussnote
performance: krankentage | fehlgrund | abwesenheitsgrund | beurteilung | krankheitstage
@person: kunde | assistent | assistenten | professor | professoren | kunden | patient | patienten | mitarbeiter | benutzer | personen | mitglied | mitglieder | schüler | lehrer | arzt | ärzte | student | studenten | studierende | angestellte | angestellter | kontakt | kontakte | ansprechpartner | nutzer | bewerber | versicherter | versicherte | klient | klienten | fahrer | besteller | teilnehmer | mandant | mandanten | mieter | eigentümer | autor | autoren | gast | gäste | interessent | spender | leser | trainer | spieler | vermieter | dozent | dozenten | empfänger | absender | pfleger | bewohner | käufer | verkäufer | bürger | halter | arbeitnehmer
@organisation: firma | firmen | unternehmen | lieferant | lieferanten | abteilung | abteilungen | filiale | filialen | krankenhaus | schule | schulen | hochschule | behörde | amt | verein | verlag | hersteller | spedition | praxis | klinik | werk? | standort | standorte | händler | niederlassung | gesellschaft
@thing: produkt | produkte | artikel | bestellung | bestellungen | rechnung | rechnungen | kategorie | kategorien | auftrag | aufträge | lager | bestand | buch | bücher | kurs | kurse | fach | raum | räume | zimmer | fahrzeug | fahrzeuge | gerät | geräte | projekt | projekte | datei | warengruppe | leistung | leistungen | termin | termine | zahlung | zahlungen | vertrag | verträge | position | positionen | klasse | klassen | prüfung | veranstaltung
@negative: anzahl | aktiv | gültig | bestätigt | gelöscht | geändert | angelegt | erstellt | gesamt | summe | preis | betrag | menge | typ | art? | kennung? | reihenfolge | verifiziert | kategorie | vorlage | betreff
@author: erstellt von | geändert von | angelegt von | bearbeiter | sachbearbeiter | ersteller | erfasst von | verantwortlicher | leiter
@staff: arzt | ärzte | mitarbeiter | lehrer | pfleger | dozent | verkäufer | angestellte | angestellter
@id: kennung | schlüssel
@number: nummer | nr
@date: datum | tag? | zeit | uhrzeit | zeitpunkt | am? | eintritt | austritt | eintrittsdatum | austrittsdatum
@filler: stamm | stammdaten | kontaktdaten | der | die | das | und | von
`;
