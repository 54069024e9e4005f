/** Portuguese. */
export const pt = `
first-name: primeiro nome | nome próprio
last-name: sobrenome | apelido | último nome
full-name: nome completo | nome social | nome do titular | titular | nome cliente | nome paciente | nome mae | nome da mãe | nome pai
name: nome?
contact-name: pessoa contato | pessoa de contato | nome contato
reason: motivo
email: correio eletrônico | endereço de email
phone: telefone | celular | telemóvel | telefones | fone | número telefone | telefone residencial | telefone celular
address: endereço | morada | logradouro | complemento?
street: rua | bairro | numero casa | número endereço
city: cidade | município | localidade | concelho | freguesia
state: estado? | uf | província | distrito
postcode: cep | código postal
country: país
username: usuário | utilizador | nome de usuário | nome usuario
birth-date: data de nascimento | data nascimento | datanascimento | nascimento | dt nascimento | dt nasc | data nasc | datanasc
birth-place: naturalidade | local de nascimento | local nascimento
age: idade
gender: sexo | gênero?
marital: estado civil
death-date: data de óbito | óbito | data obito
race: raça | etnia | cor raça
religion: religião
citizenship: nacionalidade
language: idioma | língua
education: escolaridade | grau de instrução
income: salário | renda | rendimento | vencimento? | ordenado
balance: saldo
job: profissão | cargo? | ocupação | função?
employer: empregador | local de trabalho
photo: foto | fotografia
signature: assinatura
height: altura?
weight: peso
relative: cônjuge | responsável legal | nome da mãe | nome do pai | nome mae | nome pai | contato emergência | filiação | mãe | pai
ssn: cpf | rg | nif | cartão de cidadão | número identidade | nis | pis | pis pasep | cartão cidadão | bilhete de identidade | niss | identidade | ctps | título de eleitor | titulo eleitor
passport: passaporte
license: cnh | carta de condução | crm | carteira de habilitação
vehicle: placa? | placa veículo | renavam
iban: conta bancária | número da conta | nib | chave pix | pix | conta corrente | numero conta
card-number: número do cartão | cartão de crédito | numero cartao | cartao credito
card-expiry: validade cartão
diagnosis: diagnóstico
condition: doença | doenças | antecedentes | queixa principal | histórico médico | queixa
symptom: sintomas | sintoma
allergy: alergia | alergias
medication: medicamento | medicamentos | remédio | receita médica | posologia | dosagem
treatment: tratamento | cirurgia | terapia
laboratory: tipo sanguíneo | grupo sanguíneo | pressão arterial | resultado exame
immunisation: vacina | vacinas
disability: deficiência | incapacidade
pregnancy: gravidez | gestante | grávida
substance: fumante | fumador | tabagista
record-no: número prontuário | prontuário | número do processo clínico | num prontuario
insurance-no: cartão sus | cns | número carteirinha | carteirinha | número do utente | numero utente | cartao sus
insurance: convênio | plano de saúde
password: senha | palavra passe | senha hash
note: observações | observação | comentário | comentários | obs | anotações
message: mensagem | mensagens | texto mensagem
criminal: antecedentes criminais
children: filhos | número filhos | qtd filhos
student-no: matrícula aluno | número matrícula | matricula?
employee-no: matrícula funcionário | número funcionário
member-no: código cliente | número sócio
grade: nota?
@person: cliente | clientes | paciente | pacientes | usuário | usuários | funcionário | funcionários | aluno | alunos | professor | professores | médico | médicos | pessoa | pessoas | sócio | sócios | contato | contatos | colaborador | colaboradores | utilizador | utilizadores | empregado | membro | morador | inquilino | proprietário | segurado | jogador | autor | autores | motorista | beneficiário | estudante | estudantes | vendedor | vendedores | doador | hóspede | utente | utentes | comprador | candidato | cidadão | enfermeiro | responsável
@organisation: empresa | empresas | fornecedor | fornecedores | filial | loja | lojas | hospital | escola | escolas | faculdade | banco | departamento | clínica | instituição | setor | editora | transportadora | fabricante | convenio | razão social | nome fantasia
@thing: produto | produtos | pedido | pedidos | fatura | categoria | categorias | livro | livros | disciplina | turma | curso | sala | veículo | estoque | projeto | arquivo | consulta | consultas | agendamento | pagamento | contrato | venda | vendas | compra | item | quarto | exame
@negative: quantidade | ativo | verificado | válido | tipo | estado | total | preço | valor? | ordem | assunto
@author: criado por | alterado por | autor | responsável
@staff: médico | médicos | professor | professores | funcionário | funcionários | vendedor | enfermeiro
@id: código | cod | chave
@number: número | num | nro
@date: data? | dt | dia | hora
@filler: de | da | do | das | dos | e | o | dados
`;
