/** Swedish. */
export const sv = `
first-name: förnamn | tilltalsnamn
last-name: efternamn | släktnamn
full-name: fullständigt namn
contact-name: kontaktperson
name: namn
email: epost | e post | epostadress | mejl | e postadress
phone: telefon | telefonnummer | mobiltelefon | mobilnummer | mobil | telefonnr
address: adress | gatuadress | hemadress | utdelningsadress
street: gata | gatunamn | gatunummer | husnummer
city: ort? | postort | stad | hemort | kommun
state: län
postcode: postnummer | postnr
country: land?
username: användarnamn
birth-date: födelsedatum | födelsedag | född | födelsetid
birth-place: födelseort | födelseland
age: ålder
gender: kön
marital: civilstånd
death-date: dödsdatum | avliden
religion: trosuppfattning
citizenship: medborgarskap | nationalitet
language: språk | modersmål
education: utbildning
income: lön | inkomst | månadslön
job: yrke | befattning
employer: arbetsgivare
photo: fotografi
weight: vikt
relative: anhörig | närstående | vårdnadshavare
ssn: personnummer | samordningsnummer | personnr | pnr
passport: passnummer
license: körkort | körkortsnummer
vehicle: registreringsnummer bil | regnr
iban: kontonummer | bankkonto | clearingnummer | kontonr
card-number: kortnummer
diagnosis: diagnoser | diagnos
condition: sjukdom | sjukdomshistoria | besvär
allergy: allergier | allergi
medication: läkemedel | medicin | recept | dosering
treatment: behandling
laboratory: blodgrupp | blodtryck
password: lösenord
note: anteckning | anteckningar | anmärkning | kommentar
message: meddelande
member-no: kundnummer | medlemsnummer | kundnr
employee-no: anställningsnummer
grade: betyg
@person: kund | kunder | patient | patienter | användare | anställd | anställda | elev | elever | lärare | läkare | personer | medlem | medlemmar | kontakter | medarbetare | hyresgäst | ägare | förare | författare | deltagare | gäst | studenter | sköterska
@organisation: företag | leverantör | leverantörer | avdelning | butik | sjukhus | skola | förening | bolag | mottagning | vårdcentral
@thing: produkt | produkter | beställning | beställningar | faktura | fakturor | kategori | bok | böcker | kurs | kurser | fordon | projekt | fil | bokning | bokningar | betalning | artikel | artiklar | rum | ämne
@negative: antal | aktiv | typ | totalt | pris | belopp
@author: skapad av | ändrad av
@staff: läkare | lärare | anställd | sköterska
@number: nummer | nr
@date: datum | tid | dag
@filler: och | av | för
`;

/** Danish and Norwegian. */
export const da = `
first-name: fornavn | fornavne
middle-name: mellomnavn | mellemnavn
last-name: efternavn | etternavn
full-name: fulde navn | fullt navn
contact-name: kontaktperson
name: navn
email: epost | e post | mailadresse | epostadresse
phone: telefonnummer | mobilnummer | mobiltelefon | mobil | tlf | tlfnr | telefonnr
address: adresse | bopæl | bostedsadresse
street: gade | vej | husnummer | gate | gateadresse | vejnavn | gadenavn
city: by? | poststed | bynavn
postcode: postnummer | postnr
country: land?
username: brugernavn | brukernavn
birth-date: fødselsdato | fødselsdag | født | fødselsår
birth-place: fødested
age: alder
gender: køn | kjønn
marital: civilstand | sivilstand | ægteskabelig stilling
death-date: dødsdato
citizenship: statsborgerskab | nationalitet | statsborgerskap
income: løn | lønn | indkomst | inntekt
job: stilling | yrke | erhverv
employer: arbejdsgiver | arbeidsgiver
weight: vægt | vekt
relative: pårørende
ssn: cpr | cpr nummer | cprnr | fødselsnummer | personnummer | cpr nr | fodselsnr | fnr?
license: kørekort | førerkort
iban: kontonummer | bankkonto | kontonr
diagnosis: diagnose | diagnoser
condition: sygdom | sykdom
allergy: allergier
medication: medicin | medisin | lægemiddel | legemiddel | dosering
treatment: behandling
password: adgangskode | kodeord | passord
note: bemærkning | bemærkninger | merknad | kommentar | notat | notater
message: besked | melding
member-no: kundenummer | medlemsnummer | kundenr
@person: kunde | kunder | patient | patienter | pasient | pasienter | bruger | brugere | bruker | brukere | medarbejder | medarbejdere | ansat | ansatte | ansatt | elev | elever | lærer | lærere | læge | læger | lege | leger | personer | medlem | medlemmer | forfatter | ejer | eier
@organisation: firma | virksomhed | leverandør | leverandører | afdeling | avdeling | butik | sygehus | sykehus | skole | forening | bedrift
@thing: produkt | produkter | ordre | ordrer | faktura | fakturaer | kategori | bog | bøger | bok | bøker | kursus | køretøj | projekt | fil | booking | betaling | vare | varer | værelse
@negative: antal | antall | aktiv | total | pris | beløb
@author: oprettet af | ændret af | opprettet av | endret av
@staff: læge | lege | lærer | medarbejder | ansat
@number: nummer | nr
@date: dato | tid | dag
@filler: og | af
`;

/** Finnish. */
export const fi = `
first-name: etunimi | etunimet
last-name: sukunimi
name: nimi
email: sähköposti | sähköpostiosoite
phone: puhelin | puhelinnumero | matkapuhelin
address: osoite | katuosoite | postiosoite
street: katu
city: kaupunki | postitoimipaikka | kotikunta | kunta
postcode: postinumero
country: maa?
username: käyttäjätunnus
birth-date: syntymäaika | syntymäpäivä
birth-place: syntymäpaikka
age: ikä
gender: sukupuoli
marital: siviilisääty
citizenship: kansalaisuus
income: palkka
job: ammatti
ssn: henkilötunnus | hetu
iban: tilinumero
diagnosis: diagnoosi
allergy: allergiat
medication: lääke | lääkitys
password: salasana
note: huomautus | muistiinpanot | lisätiedot
message: viesti
@person: asiakas | asiakkaat | potilas | potilaat | käyttäjä | käyttäjät | työntekijä | työntekijät | henkilö | henkilöt | opiskelija | opiskelijat | opettaja | jäsen | jäsenet | lääkäri
@organisation: yritys | toimittaja | osasto | sairaala | koulu | myymälä
@thing: tuote | tuotteet | tilaus | tilaukset | lasku | kirja | kurssi
@date: pvm | päivämäärä
@number: numero
`;
