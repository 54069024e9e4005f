/** Dutch. */
export const nl = `
first-name: voornaam | voornamen | roepnaam
middle-name: tussenvoegsel | tussenvoegsels
last-name: achternaam | familienaam
maiden-name: meisjesnaam | geboortenaam
full-name: volledige naam | tenaamstelling | rekeninghouder
contact-name: contactpersoon
reason: reden
initials: voorletters | initialen
honorific: aanhef | aanspreektitel
name: naam
email: emailadres | mailadres | email adres
phone: telefoonnummer | telefoon | mobiel | gsm | mobiel nummer | telefoonnr | mobielnummer | telnr
address: adres | woonadres | adresregel | bezorgadres
street: straat | huisnummer | straatnaam | huisnr | toevoeging? | huisnummertoevoeging | postbus
city: woonplaats | plaats | stad | gemeente | plaatsnaam
state: provincie
postcode: postcode
country: land?
username: gebruikersnaam | inlognaam
birth-date: geboortedatum | gebdatum | geboren | geb datum | geboorte datum
birth-place: geboorteplaats | geboorteland
birth-year: geboortejaar
age: leeftijd
gender: geslacht
marital: burgerlijke staat
death-date: overlijdensdatum | overleden | datum overlijden
race: etniciteit
religion: godsdienst | geloof
citizenship: nationaliteit | verblijfsvergunning
language: taal | moedertaal
education: opleiding | opleidingsniveau
income: salaris | loon | inkomen | uurloon | bruto | maandloon
job: beroep | functie? | functietitel
employer: werkgever
photo: pasfoto | foto
signature: handtekening
height: lengte?
weight: gewicht
relative: noodcontact | partner? | echtgenoot | vader | moeder | voogd
ssn: bsn | burgerservicenummer | rijksregisternummer | sofinummer | identiteitskaart | insz | sofi nummer | idkaart nummer
passport: paspoort | paspoortnummer
license: rijbewijs | rijbewijsnummer | big nummer
vehicle: kenteken
iban: rekeningnummer | bankrekening | bankrekeningnummer | rekeningnr
card-number: kaartnummer | creditcardnummer
diagnosis: diagnose | diagnoses
condition: ziekte | aandoening | klacht | voorgeschiedenis | ziektegeschiedenis | klachten
symptom: symptomen
allergy: allergieën | allergie
medication: medicijn | medicijnen | medicatie | geneesmiddel | dosering
treatment: behandeling | therapie | ingreep
laboratory: bloedgroep | bloeddruk | labuitslag
immunisation: vaccinatie | vaccinaties | inenting
disability: beperking? | handicap | arbeidsongeschiktheid
pregnancy: zwangerschap | zwanger
substance: roker
record-no: patiëntnummer | dossiernummer | patientnr | dossiernr
insurance-no: polisnummer | verzekerdennummer | polisnr | uzovi
insurance: zorgverzekeraar | zorgverzekering
password: wachtwoord | ww? | wachtwoordhash
note: opmerking | opmerkingen | notitie | notities | toelichting
message: bericht | berichten | berichttekst
criminal: strafblad
children: kinderen | aantal kinderen
student-no: studentnummer | leerlingnummer | studentnr
employee-no: personeelsnummer | medewerkernummer | personeelsnr
member-no: klantnummer | lidnummer | klantnr | lidnr | relatienummer
grade: cijfer | cijfers
@person: klant | klanten | patiënt | patiënten | medewerker | medewerkers | gebruiker | gebruikers | persoon | personen | leerling | leerlingen | leraar | arts | artsen | lid | leden | werknemer | werknemers | huurder | huurders | deelnemer | deelnemers | contactpersoon | contactpersonen | docent | docenten | bewoner | cliënt | cliënten | student | studenten | relatie? | relaties? | sollicitant | eigenaar | verzekerde | speler | auteur | chauffeur | verkoper | koper | gast | lezer | donateur | ouder | verzorger | burger | huisarts
@organisation: bedrijf | bedrijven | leverancier | leveranciers | afdeling | afdelingen | filiaal | vestiging | vestigingen | winkel | winkels | ziekenhuis | school | bank | organisatie | vereniging | fabrikant | uitgever | praktijk | bedrijfsnaam
@thing: product | producten | bestelling | bestellingen | factuur | facturen | categorie | boek | boeken | vak | vakken | lokaal | voertuig | voertuigen | voorraad | project | bestand | afspraak | afspraken | betaling | betalingen | contract | artikel | artikelen | kamer | cursus | dienst | order
@negative: aantal | actief | geldig | bevestigd | soort | totaal | prijs | bedrag | volgorde | sjabloon | onderwerp
@author: aangemaakt door | gewijzigd door | gemaakt door | auteur | beheerder | behandelaar
@staff: medewerker | medewerkers | arts | artsen | leraar | docent | verkoper | werknemer
@id: sleutel | kenmerk?
@number: nummer | nr
@date: datum | tijd | dag
@filler: de | het | van | en | gegevens
`;
