/** Italian. */
export const it = `
first-name: nome? | nome di battesimo
last-name: cognome
full-name: nome completo | nominativo | nome e cognome | nome cognome | intestatario
contact-name: referente | persona di riferimento
reason: motivo
maiden-name: cognome da nubile
honorific: titolo?
email: posta elettronica | indirizzo email | pec | indirizzo mail
phone: telefono | cellulare | numero di telefono | recapito | telefono fisso | numero telefono | recapito telefonico
address: indirizzo | residenza | domicilio | indirizzo spedizione
street: via? | numero civico | civico | indirizzo via | piazza
city: città | comune | localita | paese?
state: provincia | regione
postcode: cap? | codice avviamento postale | codice postale
country: nazione | stato? | paese?
username: nome utente | nomeutente
birth-date: data di nascita | data nascita | datanascita | nascita | nato il | dt nascita
birth-place: luogo di nascita | luogo nascita | comune nascita | luogonascita | comune di nascita
age: età
gender: sesso | genere?
marital: stato civile
death-date: data decesso | data di morte | decesso
race: etnia
religion: religione
citizenship: cittadinanza | nazionalità | permesso di soggiorno
language: lingua | lingua madre
education: titolo di studio | istruzione
income: stipendio | reddito | retribuzione | salario
job: professione | mansione | qualifica | ruolo aziendale | lavoro?
employer: datore di lavoro
photo: fotografia
signature: firma
height: altezza
weight: peso
relative: coniuge | genitore | tutore | padre | madre | contatto emergenza
ssn: codice fiscale | codicefiscale | cod fisc | codfisc | carta identità | numero carta identità | cf? | numero documento | carta di identità | cod fiscale
tax-id: partita iva personale
passport: passaporto | numero passaporto
license: patente | numero patente | patente di guida
vehicle: targa | numero telaio
iban: conto corrente | coordinate bancarie | numero conto
card-number: numero carta | carta di credito | carta credito
card-expiry: scadenza carta
diagnosis: diagnosi
condition: malattia | patologia | patologie | anamnesi | motivo visita
symptom: sintomi | sintomo
allergy: allergia | allergie
medication: farmaco | farmaci | medicinale | ricetta | posologia | dosaggio
treatment: terapia | intervento chirurgico | trattamento | cura
laboratory: gruppo sanguigno | pressione arteriosa | esame sangue | referto | esito esame
immunisation: vaccino | vaccinazione | vaccinazioni
disability: disabilità | invalidità
pregnancy: gravidanza
substance: fumatore
record-no: numero cartella | cartella clinica | numero paziente
insurance-no: tessera sanitaria | numero polizza | numero tessera sanitaria
password: parola chiave
note: osservazioni | commento | commenti | annotazioni
message: messaggio | messaggi | testo messaggio
criminal: precedenti penali | casellario
children: figli | numero figli
student-no: matricola | matricola studente | numero matricola
employee-no: matricola dipendente
member-no: codice cliente | numero tessera
grade: voto | voti
@person: cliente | clienti | paziente | pazienti | utente | utenti | dipendente | dipendenti | studente | studenti | docente | docenti | medico | medici | persona | persone | socio | soci | contatto | contatti | alunno | alunni | insegnante | insegnanti | impiegato | impiegati | membro | candidato | inquilino | proprietario | assicurato | giocatore | autore | autori | lettore | conducente | collaboratore | anagrafica | anagrafiche | referente | infermiere | cittadino | acquirente | venditore | ospite
@organisation: azienda | aziende | fornitore | fornitori | società | ospedale | scuola | reparto | filiale | negozio | negozi | banca | ente | università | ditta | ragione sociale | ufficio | magazzino | editore | corriere | sede
@thing: prodotto | prodotti | ordine | ordini | fattura | fatture | categoria | categorie | libro | libri | corso | corsi | materia | aula | veicolo | veicoli | magazzino | progetto | appuntamento | appuntamenti | pagamento | pagamenti | contratto | articolo | articoli | visita | visite | prenotazione | film | esame | esami | camera
@negative: quantità | attivo | verificato | valido | tipo | stato | totale | prezzo | importo | numero ordine | oggetto
@author: creato da | modificato da | autore | responsabile
@staff: medico | medici | docente | insegnante | dipendente | impiegato | infermiere
@id: codice | cod | identificativo
@number: numero | num
@date: data? | ora | giorno
@filler: di | della | del | il | lo | e | dati
`;
