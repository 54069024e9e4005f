/** Names of one language: some as they are written at home, beside the letters the front desk typed. */
export type Culture = {
  /** ISO 639-1. */
  readonly language: string;
  /** Share of households, in any unit. */
  readonly weight: number;
  readonly family: readonly Name[];
  readonly female: readonly Name[];
  readonly male: readonly Name[];
  /** The family name comes first when the name is written at home. */
  readonly familyFirst?: true;
};

/** `native` is present where home has another script. */
export type Name = { readonly latin: string; readonly native?: string };

/** `Anna|Yuliya=Юлия`: bars between names, an equals sign before the native spelling. */
function names(text: string): readonly Name[] {
  return text.split('|').map((entry) => {
    const [latin = entry, native] = entry.split('=');
    return native === undefined ? { latin } : { latin, native };
  });
}

export const cultures: readonly Culture[] = [
  {
    language: 'en',
    weight: 40,
    family: names(
      "Abbott|Baker|Carter|Dawson|Ellery|Fletcher|Garland|Hargreaves|Iverson|Jackson|Kendrick|Lindqvist|McAllister|MacLeod|Nash|O'Brien|O'Connell|Prescott|Quimby|Rutherford|Sinclair|Thackeray|Underhill|Vance|Whitaker|Yardley|D'Arcy|St. John|Featherstonehaugh|Smith|Young|Brown|Rose|Day|Hunter|Price",
    ),
    female: names(
      'Abigail|Beatrice|Charlotte|Daisy|Eleanor|Faith|Grace|Hannah|Imogen|Joy|Katherine|Lily|Margaret|Nora|Olive|Penelope|Ruth|Sarah|Theodora|Violet|Mary Anne|JoAnn|April|Hope',
    ),
    male: names(
      "Adam|Benjamin|Christopher|Daniel|Edward|Frank|George|Henry|Isaac|James|Kenneth|Leonard|Matthew|Nathaniel|Oliver|Peter|Robert|Samuel|Thomas|William|D'Andre|DeShawn|Will|Mark",
    ),
  },
  {
    language: 'es',
    weight: 14,
    family: names(
      'Núñez|Ibáñez|García Márquez|Rodríguez|Peña|Muñoz|Castellanos|De la Cruz|Gutiérrez|Vásquez|Zúñiga|Hernández|Ortiz|Fernández-Villaverde|Ávila|Quiñones',
    ),
    female: names('María de los Ángeles|Guadalupe|Inés|Lucía|Ximena|Belén|Sofía|Rocío|Mercedes|Verónica|Ángela|Consuelo'),
    male: names('José|Ramón|Iñaki|Andrés|Óscar|Joaquín|Raúl|Ángel|Víctor|Hernán|Martín|Jesús'),
  },
  {
    language: 'de',
    weight: 5,
    family: names('Müller|Schäfer|Größmann|Weiß|von der Heide|Köhler|Jäger|Böhm|Strauß|Krüger|Zöllner|Lüdenscheidt'),
    female: names('Jürgine|Käthe|Annegret|Ute|Änne|Friederike|Heike|Sabine|Gisela|Roswitha'),
    male: names('Jürgen|Björn|Götz|Hans-Jörg|Matthias|Rüdiger|Wolfgang|Uwe|Sönke|Karl-Heinz'),
  },
  {
    language: 'fr',
    weight: 4,
    family: names("Lefèvre|Dubois|d'Estrées|Hébert|Beaulieu|Lemaître|François|Gagné|Côté|L'Écuyer|Bérubé|Noël"),
    female: names('Aurélie|Françoise|Chloé|Zoé|Hélène|Geneviève|Maëlle|Anaïs|Bénédicte|Solène'),
    male: names('Étienne|René|Loïc|François|Jérôme|Benoît|Aurélien|Jean-Noël|Gaël|Rémi'),
  },
  {
    language: 'pl',
    weight: 4,
    family: names('Wiśniewski|Wójcik|Kowalczyk|Zieliński|Błaszczyk|Świątek|Żurawski|Dąbrowski|Łukaszewicz|Gołębiowski'),
    female: names('Małgorzata|Agnieszka|Elżbieta|Łucja|Zofia|Grażyna|Bożena|Katarzyna'),
    male: names('Paweł|Łukasz|Stanisław|Wojciech|Grzegorz|Mieczysław|Bartłomiej|Zbigniew'),
  },
  {
    language: 'cs',
    weight: 2,
    family: names('Dvořák|Růžička|Černý|Šťastný|Kučera|Novotný|Říha|Žižka'),
    female: names('Božena|Jiřina|Růžena|Kateřina|Zdeňka|Ludmila'),
    male: names('Jiří|Tomáš|Ondřej|Zdeněk|Václav|Luboš'),
  },
  {
    language: 'sv',
    weight: 3,
    family: names('Ångström|Sjöberg|Björklund|Åkerblom|Östergård|Kjærgaard|Sørensen|Bjørnstad|Höglund|Nygård'),
    female: names('Åsa|Märta|Solveig|Ingrid|Frøydis|Linnéa|Sigrún|Astrid'),
    male: names('Göran|Åke|Sören|Bjørn|Håkan|Leif|Øyvind|Jörgen'),
  },
  {
    language: 'nl',
    weight: 2,
    family: names("van der Berg|de Vries|van 't Hoff|ten Brinke|Kuijpers|van den Heuvel|IJsselstein|Daniëls"),
    female: names('Anneke|Saskia|Marijke|Loes|Zoë|Femke'),
    male: names('Joost|Maarten|Daniël|Pieter|Sjoerd|Thijs'),
  },
  {
    language: 'tr',
    weight: 2,
    family: names('Yılmaz|Çelik|Öztürk|Şahin|Kılıç|Gündoğdu|Aydoğan|Işık'),
    female: names('Ayşe|Gülşen|Çiğdem|Şükran|Özlem|Zeynep'),
    male: names('Oğuz|İbrahim|Çağlar|Şenol|Ömer|Tarık'),
  },
  {
    language: 'vi',
    weight: 5,
    family: names('Nguyễn|Trần|Phạm|Đặng|Huỳnh|Võ|Lê|Bùi'),
    female: names('Thị Hương|Ngọc Ánh|Thu Thủy|Mỹ Duyên|Phương Thảo|Bích Vân'),
    male: names('Văn Đức|Quốc Bảo|Hữu Phước|Minh Tuấn|Đình Khôi|Thanh Tùng'),
  },
  {
    language: 'uk',
    weight: 3,
    family: names(
      "Shevchenko=Шевченко|Kovalenko=Коваленко|Bondarenko=Бондаренко|Tkachuk=Ткачук|Hryhorenko=Григоренко|Lukyanenko=Лук'яненко",
    ),
    female: names('Oksana=Оксана|Yuliia=Юлія|Nadiia=Надія|Iryna=Ірина|Zlata=Злата|Yevheniia=Євгенія'),
    male: names('Andrii=Андрій|Serhii=Сергій|Bohdan=Богдан|Yurii=Юрій|Taras=Тарас|Ihor=Ігор'),
  },
  {
    language: 'ru',
    weight: 3,
    family: names('Ivanov=Иванов|Kuznetsov=Кузнецов|Zhukov=Жуков|Shcherbakov=Щербаков|Vorobyov=Воробьёв|Tsvetkov=Цветков'),
    female: names('Natalia=Наталья|Svetlana=Светлана|Alyona=Алёна|Lyudmila=Людмила|Yuliya=Юлия|Vera=Вера'),
    male: names('Dmitri=Дмитрий|Fyodor=Фёдор|Mikhail=Михаил|Yevgeny=Евгений|Sergei=Сергей|Lev=Лев'),
  },
  {
    language: 'el',
    weight: 1,
    family: names('Papadopoulos=Παπαδόπουλος|Georgiou=Γεωργίου|Nikolaidis=Νικολαΐδης|Angelopoulos=Αγγελόπουλος'),
    female: names('Eleni=Ελένη|Aikaterini=Αικατερίνη|Despina=Δέσποινα|Chrysoula=Χρυσούλα'),
    male: names('Giorgos=Γιώργος|Dimitris=Δημήτρης|Spyros=Σπύρος|Panagiotis=Παναγιώτης'),
  },
  {
    language: 'ar',
    weight: 3,
    family: names('Al-Khatib=الخطيب|Haddad=حداد|Mansour=منصور|El-Sayed=السيد|Najjar=نجار|Abd al-Rahman=عبد الرحمن'),
    female: names('Layla=ليلى|Fatima=فاطمة|Nour=نور|Amal=أمل|Samira=سميرة|Huda=هدى'),
    male: names('Omar=عمر|Khaled=خالد|Youssef=يوسف|Hassan=حسن|Tariq=طارق|Ziad=زياد'),
  },
  {
    language: 'he',
    weight: 1,
    family: names('Ben-Ami=בן עמי|Shapira=שפירא|Mizrahi=מזרחי|Katz=כץ'),
    female: names('Tamar=תמר|Yael=יעל|Noa=נועה|Shira=שירה'),
    male: names('Eitan=איתן|Gilad=גלעד|Noam=נועם|Uri=אורי'),
  },
  {
    language: 'hi',
    weight: 4,
    family: names('Sharma=शर्मा|Patel=पटेल|Iyer=अय्यर|Chatterjee=चटर्जी|Deshmukh=देशमुख|Srivastava=श्रीवास्तव'),
    female: names('Ananya=अनन्या|Kavita=कविता|Lakshmi=लक्ष्मी|Priya=प्रिया|Meena=मीना|Shanti=शांति'),
    male: names('Arjun=अर्जुन|Vikram=विक्रम|Rohan=रोहन|Sanjay=संजय|Krishna=कृष्ण|Anil=अनिल'),
  },
  {
    language: 'zh',
    weight: 4,
    family: names('Wang=王|Li=李|Chen=陳|Ouyang=歐陽|Zhao=赵|Wu=吴|Lin=林|Guo=郭'),
    female: names('Meiling=美玲|Xiaoyan=小燕|Jing=静|Yuhan=雨涵|Shufen=淑芬|Lihua=丽华'),
    male: names('Wei=伟|Jianguo=建国|Haoran=浩然|Zhiming=志明|Guangming=光明|Tao=涛'),
    familyFirst: true,
  },
  {
    language: 'ja',
    weight: 2,
    family: names('Sato=佐藤|Takahashi=高橋|Watanabe=渡邉|Kobayashi=小林|Ōno=大野'),
    female: names('Yōko=陽子|Sakura=さくら|Haruka=遥|Emi=エミ'),
    male: names('Kenji=健二|Shōta=翔太|Ichirō=一郎|Ren=蓮'),
    familyFirst: true,
  },
  {
    language: 'ko',
    weight: 2,
    family: names('Kim=김|Park=박|Choi=최|Namgung=남궁|Seo=서'),
    female: names('Ji-woo=지우|Min-seo=민서|Eun-ji=은지|Soo-ah=수아'),
    male: names('Min-jun=민준|Dong-hyun=동현|Sang-woo=상우|Jae-won=재원'),
    familyFirst: true,
  },
  {
    language: 'th',
    weight: 1,
    family: names('Rattanaphonphiphatthanakul=รัตนพลพิพัฒนกุล|Suksawat=สุขสวัสดิ์|Chaiyaporn=ไชยพร'),
    female: names('Somying=สมหญิง|Malee=มาลี|Kannika=กรรณิการ์'),
    male: names('Somchai=สมชาย|Anucha=อนุชา|Prasert=ประเสริฐ'),
  },
];

/** The same letters without marks, lower case: what mail addresses and file names are made of. */
export function plain(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[ßæøłđıð]/g, (letter) => WITHOUT_MARKS.get(letter) ?? '')
    .normalize('NFD')
    .replaceAll(/[^a-z0-9]/g, '');
}

/** Letters that Unicode does not decompose. */
const WITHOUT_MARKS: ReadonlyMap<string, string> = new Map([
  ['ß', 'ss'],
  ['æ', 'ae'],
  ['ø', 'o'],
  ['ł', 'l'],
  ['đ', 'd'],
  ['ı', 'i'],
  ['ð', 'd'],
]);
