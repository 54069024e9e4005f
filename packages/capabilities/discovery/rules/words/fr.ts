/** French. */
export const fr = `
first-name: prénom | prénoms
last-name: nom? | nom de famille | nom famille | patronyme | nomfamille
maiden-name: nom de jeune fille | nom jeune fille | nom de naissance
full-name: nom complet | nom et prénom | nom prénom | raison contact | titulaire
contact-name: personne contact | interlocuteur | nom contact
reason: motif
honorific: civilité
email: courriel | adresse mail | adresse email | mél | adresse électronique | courrier électronique
phone: téléphone | numéro de téléphone | portable? | num tel | numtel | téléphone mobile | téléphone fixe | tel portable | numéro téléphone
fax: télécopie
address: adresse | adresse postale | domicile | adresse ligne | complément adresse | lieu de résidence
street: rue | voie | numéro de rue | nom de rue | numéro voie | boîte postale
city: ville | commune | localité
state: département? | région
postcode: code postal | codepostal | cp?
country: pays | code pays
username: identifiant? | nom utilisateur | nom d utilisateur | pseudo | pseudonyme?
birth-date: date de naissance | date naissance | datenaissance | ddn | naissance | né le | date naiss | dtnaissance
birth-place: lieu de naissance | lieu naissance | pays de naissance | ville de naissance | ville naissance | lieunaissance
birth-year: année de naissance
age: âge
gender: sexe | genre
marital: situation familiale | état civil | situation matrimoniale
death-date: date de décès | date décès | décès
race: ethnie | origine ethnique
religion: confession religieuse
politics: parti politique | opinion politique
union: syndicat | appartenance syndicale
citizenship: nationalité | titre de séjour
language: langue | langue maternelle
education: niveau d études | diplôme | formation?
income: salaire | revenu | revenus | rémunération | salaire brut | salaire net | salaire base
balance: solde
job: métier | fonction? | poste? | emploi | intitulé du poste
employer: employeur | lieu de travail
photo: photo identité
signature: signature
height: taille?
weight: poids
relative: personne à contacter | conjoint | tuteur | père | mère | contact d urgence | personne à prévenir | contact urgence
ssn: numéro de sécurité sociale | numéro sécurité sociale | nir | numéro sécu | num secu | nss | numéro carte identité | numéro ss | carte identité | cni | num ss | no secu | numsecu | avs
tax-id: numéro fiscal | nif | numéro fiscal
passport: passeport | numéro de passeport | numéro passeport
license: permis de conduire | numéro de permis | rpps | numéro permis | permis?
vehicle: immatriculation | plaque immatriculation | plaque d immatriculation
iban: rib | compte bancaire | numéro de compte | coordonnées bancaires | numéro compte | num compte
card-number: numéro de carte | numéro carte | carte bancaire | carte bleue | num carte
card-expiry: date expiration carte
diagnosis: diagnostic | diagnostics | diagnostic principal
condition: maladie | pathologie | antécédents | antécédents médicaux | motif de consultation | motif consultation | observations médicales | affection
symptom: symptôme | symptômes
allergy: allergie | allergies
medication: médicament | médicaments | ordonnance | posologie | prescription?
treatment: traitement | acte médical | intervention? | traitement en cours | soin | soins
laboratory: groupe sanguin | tension artérielle | analyse sanguine | résultat analyse
immunisation: vaccin | vaccination | vaccins
disability: handicap
pregnancy: grossesse | enceinte
substance: fumeur
record-no: numéro dossier | numéro de dossier | ipp | numéro patient | num dossier
insurance-no: numéro assuré | numéro mutuelle | numéro d assuré | numéro adhérent | num assure
insurance: mutuelle | caisse maladie
password: mot de passe | motdepasse | mdp | mot passe | motpasse
note: remarque | remarques | commentaire | commentaires | observation | notes internes
message: contenu message | texte message
bio: à propos
criminal: casier judiciaire | condamnation
children: nombre d enfants | nb enfants | enfants | nombre enfants
student-no: numéro étudiant | numéro d étudiant | ine | num etudiant
employee-no: matricule | matricule employé
member-no: numéro client | num client | code client | numéro adhérent
@person: client | clients | patient | patients | utilisateur | utilisateurs | employé | employés | salarié | salariés | élève | élèves | étudiant | étudiants | enseignant | enseignants | professeur | médecin | médecins | personne | personnes | adhérent | adhérents | abonné | abonnés | membre | membres | particulier | candidat | candidats | locataire | locataires | propriétaire | propriétaires | assuré | assurés | agent | agents | infirmier | infirmiers | joueur | auteur | lecteur | bénéficiaire | usager | usagers | collaborateur | participant | donateur | acheteur | vendeur | destinataire | praticien | parents
@organisation: société | sociétés | entreprise | entreprises | fournisseur | fournisseurs | service? | hôpital | école | écoles | établissement | magasin | magasins | succursale | association | cabinet? | banque | usine | transporteur | éditeur | laboratoire | mairie | agence | raison sociale
@thing: produit | produits | commande | commandes | facture | factures | catégorie | catégories | livre | livres | cours | matière | salle | véhicule | véhicules | stock | projet | fichier | rendez vous | paiement | contrat | ligne | tarif | film | libellé | rôle
@negative: nombre | actif | validé | vérifié | quantité | prix | montant | statut | ordre | taux | modèle | objet
@author: créé par | modifié par | saisi par | auteur | créateur | responsable | gestionnaire
@staff: médecin | médecins | enseignant | professeur | infirmier | employé | employés | praticien | agent | salarié | vendeur
@id: identifiant | clé
@number: numéro | num | n°
@date: date | jour | heure
@filler: de | du | des | la | le | les | l | d | en | et
`;
