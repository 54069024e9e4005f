/** Spanish. */
export const es = `
first-name: nombre? | nombres? | primer nombre | nombre pila | nombre de pila | nombre1
middle-name: segundo nombre | nombre2
last-name: apellido | apellidos | primer apellido | segundo apellido | apellido paterno | apellido materno | apellido1 | apellido2
full-name: nombre completo | nombre y apellidos | nombre apellido | razón contacto | titular | nombre titular
contact-name: persona contacto | persona de contacto | nombre contacto
reason: motivo
honorific: tratamiento? | trato?
email: correo | correo electrónico | correo e | dirección de correo | correoelectronico
phone: teléfono | teléfonos | móvil | celular | número de teléfono | telf | teléfono fijo | teléfono móvil | tlf | tfno | numero telefono | teléfono contacto
address: dirección | domicilio | dirección postal | dirección envío | direccion1
street: calle | vía? | número de calle | colonia | portal? | piso? | nombre calle | avenida
city: ciudad | municipio | localidad | población | comuna
state: provincia | estado? | departamento? | comunidad autónoma
postcode: código postal | cod postal | codpostal | cp? | codigopostal
country: país | código país
username: usuario | nombre usuario | nombre de usuario | nombreusuario
birth-date: fecha de nacimiento | fecha nacimiento | fec nac | fechanacimiento | nacimiento | fecha nac | fnac | f nacimiento | fechanac
birth-place: lugar de nacimiento | lugar nacimiento | país de nacimiento | ciudad nacimiento
birth-year: año nacimiento
age: edad
gender: sexo | género?
marital: estado civil | estadocivil
death-date: fecha de fallecimiento | fecha fallecimiento | fecha defunción | defunción | fallecido
race: etnia | raza? | grupo étnico
religion: religión | confesión
politics: partido político | ideología
orientation: orientación sexual
union: sindicato | afiliación sindical
citizenship: nacionalidad | ciudadanía
language: idioma | lengua materna
education: nivel de estudios | escolaridad | nivel estudios | estudios
income: salario | sueldo | ingresos | renta? | salario bruto | nómina | sueldo base
balance: saldo
job: cargo? | puesto | profesión | ocupación | oficio
employer: empresa donde trabaja | lugar de trabajo | empleador
photo: foto | fotografía | imagen perfil
signature: firma
height: estatura | altura?
weight: peso
relative: contacto emergencia | contacto de emergencia | cónyuge | padre | madre | tutor | acudiente | apoderado
ssn: dni | seguridad social | num seguridad social | nie | cédula | curp | rut? | número de identidad | documento identidad | nif | número seguridad social | nss | documento de identidad | número documento | num documento | cédula ciudadanía | cedula identidad | run? | ci? | nro documento | numero identificacion | nuss | dui
tax-id: rfc | cuit | cuil | ruc
passport: pasaporte | número pasaporte | num pasaporte
license: licencia de conducir | carnet conducir | número colegiado | permiso conducir | num colegiado | cedula profesional | licencia conducir
vehicle: matrícula vehículo | placa? | patente? | matricula?
iban: cuenta bancaria | número de cuenta | ccc | cbu | numero cuenta | num cuenta | nro cuenta
card-number: número de tarjeta | tarjeta crédito | numero tarjeta | tarjeta de crédito | num tarjeta
card-expiry: caducidad tarjeta | fecha caducidad tarjeta | vencimiento tarjeta
diagnosis: diagnóstico | diagnósticos
condition: enfermedad | enfermedades | antecedentes | motivo consulta | historia clínica | padecimiento | antecedentes médicos | motivo de consulta
symptom: síntoma | síntomas
allergy: alergia | alergias
medication: medicamento | medicamentos | medicación | receta | dosis | posología
treatment: tratamiento médico | cirugía | terapia | tratamientos | tratamiento
laboratory: grupo sanguíneo | tipo de sangre | tipo sangre | presión arterial | rh? | resultado examen
immunisation: vacuna | vacunas | vacunación
disability: discapacidad | minusvalía | grado discapacidad
pregnancy: embarazo | embarazada
substance: fumador
record-no: número de historia | número historia clínica | num historia | nhc | historia numero | expediente?
insurance-no: número de afiliado | número póliza | tarjeta sanitaria | num poliza | nro afiliado | num afiliado | cip
insurance: seguro médico | obra social | eps
password: contraseña | clave? | contrasena | contrasenia | clave acceso | password hash
note: observaciones | observación | comentario | comentarios | notas
message: mensaje | mensajes
bio: biografía
criminal: antecedentes penales | delito
children: hijos | número de hijos | num hijos
student-no: número matrícula | expediente académico | carnet estudiante | num matricula
employee-no: número empleado | legajo | num empleado
member-no: número cliente | número socio | num socio | cod cliente | codigo cliente | num cliente
grade: calificación | nota final | nota?
@person: cliente | jefe | clientes | paciente | pacientes | usuario | usuarios | empleado | empleados | alumno | alumnos | estudiante | estudiantes | profesor | profesores | médico | médicos | persona | personas | socio | socios | contacto | contactos | trabajador | trabajadores | docente | docentes | miembro | miembros | candidato | candidatos | ciudadano | inquilino | propietario | asegurado | jugador | autor | autores | doctor | afiliado | afiliados | titular | vendedor | vendedores | conductor | conductores | comprador | huésped | huespedes | pasajero | pasajeros | lector | donante | enfermera | apoderado | representante | maestro | maestros
@organisation: empresa | empresas | proveedor | proveedores | sucursal | sucursales | tienda | tiendas | hospital | clínica | escuela | escuelas | colegio | universidad | institución | banco | departamento | departamentos | compañía | editorial | fabricante | laboratorio | farmacia | facultad | sede | sedes | almacén | razón social
@thing: producto | productos | pedido | pedidos | factura | facturas | categoría | categorías | libro | libros | curso | cursos | asignatura | asignaturas | materia | materias | aula | vehículo | vehículos | inventario | proyecto | archivo | cita | citas | pago | pagos | contrato | venta | ventas | compra | artículo | artículos | rol | roles | película | peliculas | marca | habitación | habitaciones
@negative: cantidad | activo | verificado | válido | tipo | estado | total | precio | importe | orden | plantilla | asunto
@author: creado por | modificado por | autor | responsable | registrado por | encargado
@staff: médico | médicos | profesor | profesores | empleado | empleados | docente | vendedor | doctor | trabajador
@id: clave | código | identificador | cod
@number: número | nro | num
@date: fecha | fec | día | hora
@filler: de | del | la | el | los | las | y | por | para | datos
`;
