/** A line of the postcode table. */
export type Place = {
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  readonly postcode: string;
  readonly city: string;
  readonly state: string;
};

function places(country: string, text: string): readonly Place[] {
  return text.split('|').map((entry) => {
    const [postcode = '', city = '', state = ''] = entry.split(';');
    return { country, postcode, city, state };
  });
}

/** Where most patients live: the practice stands in Portland. Towns and codes are real, streets and numbers are dealt. */
export const nearby: readonly Place[] = places(
  'US',
  '97201;Portland;OR|97202;Portland;OR|97205;Portland;OR|97209;Portland;OR|97211;Portland;OR|97214;Portland;OR|97232;Portland;OR|97005;Beaverton;OR|97030;Gresham;OR|97034;Lake Oswego;OR|97045;Oregon City;OR|97123;Hillsboro;OR|97222;Milwaukie;OR|97223;Tigard;OR|98660;Vancouver;WA|98661;Vancouver;WA|98607;Camas;WA',
);

/** Where the others live: students, travellers, and people who moved away. */
export const farAway: readonly Place[] = [
  ...places(
    'US',
    '97301;Salem;OR|97401;Eugene;OR|97701;Bend;OR|97330;Corvallis;OR|98101;Seattle;WA|98402;Tacoma;WA|98501;Olympia;WA|99201;Spokane;WA|83702;Boise;ID|95814;Sacramento;CA|94110;San Francisco;CA|06510;New Haven;CT|02139;Cambridge;MA|04101;Portland;ME',
  ),
  ...places('DE', '10115;Berlin;|80331;München;|01067;Dresden;'),
  ...places('GB', 'N1 9GU;London;|EH1 1YZ;Edinburgh;'),
  ...places('FR', '75011;Paris;|69001;Lyon;'),
  ...places('PL', '31-001;Kraków;'),
  ...places('CH', '8001;Zürich;ZH'),
  ...places('MX', '06000;Ciudad de México;CDMX'),
  ...places('CA', 'V6B 1A1;Vancouver;BC'),
  ...places('JP', '100-0001;東京;'),
];

export const streets: readonly string[] =
  'Alder Street|Birch Lane|Cedar Avenue|Dogwood Court|NE Elm Street|Foxglove Way|Garden Row|SE Hawthorn Boulevard|Iris Place|Juniper Drive|Kestrel Ridge|Laurel Terrace|Maple Street|N Nightingale Road|Orchard View|Poplar Loop|Quarry Road|Rosewood Avenue|Salmon Creek Road|Thistle Hill|NW Union Street|Vine Street|Willow Bend|Yarrow Circle|Avenida de la Paz|Martin Luther King Jr. Blvd'.split(
    '|',
  );

export const employers: readonly string[] =
  'Cascade Timber Works|Bridgetown Coffee Roasters|Willamette Public Schools|Pinecrest Hospital|Columbia River Freight|Rose City Library|Old Mill Bakery|Harbor Light Insurance|Northside Fire Department|Blue Heron Software|Juniper Street Florist|City of Portland|State University'.split(
    '|',
  );

export const jobs: readonly string[] =
  'teacher|nurse|software developer|truck driver|baker|librarian|electrician|firefighter|accountant|welder|cook|musician|attorney|dock worker|florist|police officer|priest|union organizer'.split(
    '|',
  );
