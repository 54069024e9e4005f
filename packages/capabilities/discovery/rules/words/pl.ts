/** Polish. */
export const pl = `
first-name: imię | imiona | pierwsze imię | drugie imię
last-name: nazwisko
maiden-name: nazwisko panieńskie | nazwisko rodowe
full-name: imię i nazwisko | imię nazwisko | imienazwisko
name: nazwa?
email: adres email | poczta
phone: telefon | numer telefonu | komórka | telefon komórkowy | nr telefonu | nrtelefonu
address: adres | adres zamieszkania | adres zameldowania
street: ulica | nr domu | numer domu | nr mieszkania | numer mieszkania | nr lokalu
city: miasto | miejscowość | gmina
state: województwo | powiat
postcode: kod pocztowy | kodpocztowy
country: kraj
username: nazwa użytkownika
birth-date: data urodzenia | urodzony | dataurodzenia | data ur
birth-place: miejsce urodzenia
age: wiek
gender: płeć
marital: stan cywilny
death-date: data zgonu | zgon
religion: wyznanie
citizenship: obywatelstwo | narodowość
language: język
education: wykształcenie
income: pensja | wynagrodzenie | zarobki | płaca | dochód
job: zawód | stanowisko
employer: pracodawca
photo: zdjęcie
signature: podpis
weight: waga
height: wzrost
relative: imię ojca | imię matki | opiekun | małżonek
ssn: pesel | numer dowodu | dowód osobisty | seria i numer dowodu | nr dowodu
tax-id: nip osoby
passport: paszport | numer paszportu | nr paszportu
license: prawo jazdy | numer prawa jazdy | pwz | nr pwz
vehicle: numer rejestracyjny | nr rejestracyjny
iban: numer konta | konto bankowe | rachunek bankowy | nr konta | nr rachunku
card-number: numer karty | nr karty
diagnosis: rozpoznanie | diagnoza
condition: choroba | choroby | wywiad lekarski | dolegliwości
symptom: objawy
allergy: alergia | alergie | uczulenia
medication: lek | leki | recepta | dawka | dawkowanie
treatment: leczenie | zabieg | terapia
laboratory: grupa krwi | ciśnienie krwi | wynik badania
immunisation: szczepienie | szczepienia
disability: niepełnosprawność
pregnancy: ciąża
password: hasło
note: uwagi | uwaga | notatka | notatki | komentarz
message: wiadomość | treść wiadomości | treść
criminal: karalność
student-no: numer albumu | nr indeksu | numer indeksu | nr albumu
member-no: numer klienta | nr klienta
grade: ocena | oceny
@person: klient | klienci | pacjent | pacjenci | użytkownik | użytkownicy | pracownik | pracownicy | osoba | osoby | uczeń | uczniowie | student | studenci | nauczyciel | nauczyciele | lekarz | lekarze | członek | kontakt | kontakty | autor | autorzy | kierowca | najemca | właściciel | kandydat | czytelnik | czytelnicy | gość | goście | wykładowca | pielęgniarka
@organisation: firma | firmy | dostawca | dostawcy | oddział | dział | szpital | szkoła | sklep | bank | przychodnia | producent | uczelnia | magazyn
@thing: produkt | produkty | zamówienie | zamówienia | faktura | faktury | kategoria | kategorie | książka | książki | przedmiot | pojazd | projekt | plik | wizyta | wizyty | płatność | płatności | umowa | towar | pokój | kurs | sala
@negative: ilość | aktywny | typ | rodzaj | status | suma | cena | kwota | temat
@author: utworzył | zmodyfikował | autor
@staff: lekarz | pracownik | nauczyciel
@id: klucz | identyfikator
@number: numer | nr
@date: data? | dzień | godzina
@filler: i | w | do | dane
`;
