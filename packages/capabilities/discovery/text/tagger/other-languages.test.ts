import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { detectText } from '../detect.ts';
import { redactText } from '../redact.ts';

/** Sentences of ten languages, written for this test, with what a reader would mark of names and places. */
const SENTENCES: readonly (readonly [text: string, names: readonly string[]])[] = [
  ['El doctor habló con Lucía Fernández sobre su tratamiento y la cita en Bilbao.', ['Lucía Fernández', 'Bilbao']],
  ['La factura de don Miguel Ángel Torres fue enviada ayer a Zaragoza.', ['Miguel Ángel Torres', 'Zaragoza']],
  ['Seit gestern ist Frau Annette Hoffmann wegen einer Erkältung nicht im Büro.', ['Annette Hoffmann']],
  ['Das Paket wurde bei Stefan Krüger in Leipzig abgegeben.', ['Stefan Krüger', 'Leipzig']],
  ['Monsieur Philippe Moreau souhaite changer son rendez-vous à Bordeaux.', ['Philippe Moreau', 'Bordeaux']],
  ['La commande de Camille Girard est arrivée avec deux jours de retard.', ['Camille Girard']],
  ['La signora Giulia Romano non ha ancora pagato la fattura di marzo.', ['Giulia Romano']],
  ['Il paziente Matteo Ricci è arrivato da Torino con la madre.', ['Matteo Ricci', 'Torino']],
  ['Mevrouw Anneke Bakker heeft haar afspraak in Rotterdam afgezegd.', ['Anneke Bakker', 'Rotterdam']],
  ['Het dossier van Pieter van Dijk is naar de huisarts gestuurd.', ['Pieter van Dijk']],
  ['A dona Teresa Carvalho mudou-se do Porto para Coimbra com os filhos.', ['Teresa Carvalho', 'Porto', 'Coimbra']],
  ['O pagamento de Rui Almeida não foi recebido pela clínica.', ['Rui Almeida']],
  ['Pani Agnieszka Nowak przyjechała z Warszawy na wizytę kontrolną.', ['Agnieszka Nowak', 'Warszawy']],
  ['Patienten Lars Eriksson har inte svarat på kallelsen från Uppsala.', ['Lars Eriksson', 'Uppsala']],
  ['Ordren til Mette Sørensen blev sendt til Aarhus og ikke til Odense.', ['Mette Sørensen', 'Aarhus', 'Odense']],
  ['Die Kundin wohnt in der Goethestraße 27, 50667 Köln.', ['Goethestraße 27', '50667', 'Köln']],
  ['Vive en la calle Alcalá 118 de Madrid desde hace años.', ['calle Alcalá 118', 'Madrid']],
  ['Мария Соколова позвонила вчера и перенесла запись.', ['Мария Соколова']],
  ['Der Termin wurde auf den Nachmittag verschoben, die Rechnung folgt.', []],
  ['El paciente no tiene fiebre y puede volver al trabajo.', []],
  ['Le dossier est complet et la facture sera payée avec le solde.', []],
  ['Il cliente ha chiesto un rimborso per la merce danneggiata.', []],
];

const NAMED = new Set(['PERSON', 'LOCATION', 'ORGANIZATION']);

const named = (text: string): readonly string[] =>
  detectText(text)
    .filter(({ type }) => NAMED.has(type))
    .map(({ start, end }) => text.slice(start, end));

describe('text in other languages than English', () => {
  it('gives names and places, most of them, and no clause of words around them', () => {
    const [missed, wrong]: [string[], string[]] = [[], []];
    for (const [text, names] of SENTENCES) {
      const found = named(text);
      missed.push(...names.filter((name) => !found.includes(name)));
      wrong.push(...found.filter((name) => !names.includes(name)));
    }
    // The list of places knows no cases of Polish.
    assert.deepEqual({ missed, wrong }, { missed: ['Warszawy'], wrong: [] });
  });

  it('is less sure of them than of what the tagger has learnt', () => {
    const [other] = detectText('Das Paket wurde bei Stefan Krüger in Leipzig abgegeben.');
    const [english] = detectText('The parcel was handed to Stefan Krüger in Leipzig yesterday.');
    assert.deepEqual([other?.type, english?.type], ['PERSON', 'PERSON']);
    assert.ok((other?.score ?? 1) < (english?.score ?? 0), JSON.stringify([other, english]));
  });

  it('is judged line by line: what stands in English beside it is tagged as ever', () => {
    const english = 'Please call Juan de la Cruz in Los Angeles about a claim that Maria van der Berg made.';
    const alone = named(english);
    assert.deepEqual(alone, ['Juan de la Cruz', 'Los Angeles', 'Maria van der Berg']);
    assert.deepEqual(named(`Der Patient klagt über Schmerzen im Knie.\n${english}\nLe dossier est complet.`), alone);
  });

  it('keeps its sense when it is redacted', () => {
    const text = 'La señora Carmen Ortega llamó desde Valencia para cambiar su cita.';
    assert.equal(redactText(text).redacted, 'La señora [PERSON_1] llamó desde [LOCATION_1] para cambiar su cita.');
  });
});
