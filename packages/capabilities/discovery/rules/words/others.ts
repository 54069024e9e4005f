/** Czech and Slovak. */
export const cs = `
first-name: jméno | meno | křestní jméno
last-name: příjmení | priezvisko
full-name: celé jméno
phone: telefon | telefonní číslo | mobilní telefon
address: adresa | bydliště | adresa bydliště
street: ulice | ulica | číslo popisné | cp popisne
city: město | obec | mesto
postcode: psč | psc
country: země | stát? | krajina
username: uživatelské jméno
birth-date: datum narození | narození | dátum narodenia
birth-place: místo narození
age: věk
gender: pohlaví
marital: rodinný stav
citizenship: státní příslušnost | národnost
income: plat | mzda
job: povolání | zaměstnání
ssn: rodné číslo | rc? | číslo op | číslo občanského průkazu
passport: číslo pasu
iban: číslo účtu | bankovní účet
diagnosis: diagnóza
allergy: alergie
medication: lék | léky
password: heslo
note: poznámka | poznámky
message: zpráva
@person: zákazník | zákazníci | pacient | pacienti | uživatel | uživatelé | zaměstnanec | zaměstnanci | osoba | osoby | žák | žáci | učitel | lékař | člen | studenti
@organisation: firma | dodavatel | oddělení | nemocnice | škola | prodejna
@thing: produkt | objednávka | objednávky | faktura | kniha | předmět | výrobek
@number: číslo | cislo
@date: datum | čas
`;

/** Turkish. */
export const tr = `
first-name: ad? | adı | isim
last-name: soyad | soyadı | soyisim
full-name: ad soyad | adsoyad | adı soyadı
email: eposta | e posta | e posta adresi
phone: telefon | cep telefonu | telefon no | telefon numarası | cep tel | gsm no
address: adres | ev adresi
street: sokak | cadde | mahalle | kapı no
city: şehir | il? | ilçe
postcode: posta kodu
country: ülke
username: kullanıcı adı | kullaniciadi
birth-date: doğum tarihi | dogumtarihi
birth-place: doğum yeri
age: yaş
gender: cinsiyet
marital: medeni hal | medeni durum
income: maaş
job: meslek | görev?
ssn: tc kimlik | tckn | tc kimlik no | kimlik no | tcno
passport: pasaport no
vehicle: plaka
iban: hesap no
diagnosis: tanı | teşhis
allergy: alerji
medication: ilaç
laboratory: kan grubu
password: şifre | parola
note: açıklama? | notlar
message: mesaj
student-no: öğrenci no
@person: müşteri | müşteriler | hasta | hastalar | kullanıcı | kullanıcılar | personel | çalışan | çalışanlar | öğrenci | öğrenciler | öğretmen | doktor | doktorlar | kişi | kişiler | üye | üyeler
@organisation: şirket | firma | tedarikçi | şube | hastane | okul | mağaza
@thing: ürün | ürünler | sipariş | siparişler | fatura | kategori | kitap | ders
@number: numara
@date: tarih | tarihi | saat
`;

/** Romanian. */
export const ro = `
first-name: prenume
last-name: nume? | nume de familie | nume familie
phone: telefon | număr telefon
address: adresă | domiciliu
street: strada | număr stradă
city: oraș | localitate
state: județ
postcode: cod poștal
country: țară
username: utilizator | nume utilizator
birth-date: data nașterii | data nasterii
age: vârstă
gender: sex | gen?
marital: stare civilă
income: salariu
job: profesie | ocupație | funcție
ssn: cnp | cod numeric personal | serie buletin
iban: cont bancar
diagnosis: diagnostic
medication: medicament
password: parolă
note: observații
@person: client | clienți | pacient | pacienți | utilizatori | angajat | angajați | persoană | persoane | elev | elevi | student | studenți | profesor | medic | medici
@organisation: firmă | furnizor | spital | școală | magazin
@thing: produs | produse | comandă | comenzi | factură | carte | curs
@number: număr | nr
@date: dată
`;

/** Hungarian. */
export const hu = `
first-name: keresztnév | utónév
last-name: vezetéknév | családnév
full-name: teljes név
name: név
phone: telefonszám | mobilszám
address: cím | lakcím
street: utca | házszám
city: város | település
postcode: irányítószám
country: ország
username: felhasználónév
birth-date: születési dátum | születési idő
birth-place: születési hely
age: életkor
gender: nem?
relative: anyja neve
ssn: személyi szám | taj szám | taj | személyi igazolvány
tax-id: adóazonosító
iban: bankszámlaszám
diagnosis: diagnózis
password: jelszó
note: megjegyzés
@person: ügyfél | ügyfelek | beteg | betegek | felhasználó | felhasználók | dolgozó | dolgozók | személy | diák | diákok | tanár | orvos | vásárló | vevő | vevők
@organisation: cég | beszállító | osztály | kórház | iskola | bolt
@thing: termék | termékek | rendelés | számla | könyv
@number: szám
@date: dátum
`;
