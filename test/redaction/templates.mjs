// Sentences around the values. {} is the value. dev and frozen share none; the
// frozen ones were written before the rules were measured and stay as they are.

const id = (dev, frozen) => ({ dev, frozen });

export const templates = {
  cpf: id(
    ['CPF {}', 'o cpf do cliente é {}', 'Cadastro {} - Mozilla Firefox', 'cpf: {}, pode confirmar?', '{}', 'grep {} clientes.csv'],
    ['{}', 'meu CPF é {}', 'CPF nº {} não encontrado', 'Consulta de cliente {} - ERP', 'consta {} no cadastro, certo?', 'nota_{}.pdf', 'pix para {} por favor', 'my taxpayer number is {}']),
  cnpj: id(
    ['CNPJ {}', 'a empresa tem o cnpj {}', 'NF-e {} - Portal', '{}', 'emitir para {} hoje'],
    ['{}', 'CNPJ: {}', 'Fornecedor {} bloqueado', 'o CNPJ da filial é {}.', 'certificado A1 {} vence amanhã', 'busca {} no SEFAZ', 'company id {} (Brazil)']),
  card: id(
    ['cartão {}', 'my card is {}', 'Checkout {} - Chrome', '{}'],
    ['{}', 'o número do cartão é {}', 'paguei com {} ontem', 'card number {} was declined', 'tarjeta {} rechazada', 'Fatura {} - Internet Banking', 'tente o {} então', 'Karte {} gesperrt']),
  iban: id(
    ['IBAN {}', 'transfer to {}', 'conta {} do fornecedor', '{}'],
    ['{}', 'bitte an {} überweisen', 'IBAN: {} BIC COBADEFF', 'pay {} by Friday', 'Cuenta {} del proveedor', 'il bonifico va a {}', 'SEPA {} pending']),
  pis: id(
    ['PIS {}', 'o NIS dela é {}', 'pis/pasep: {}'],
    ['PIS {}', 'PIS/PASEP: {}', 'número do NIS {} no CadÚnico', 'o NIT informado foi {}', 'INSS pediu o PIS {}', 'cadastro do pis do funcionário: {}']),
  cnh: id(
    ['CNH {}', 'a habilitação é {}', 'cnh: {}'],
    ['CNH {}', 'número da CNH: {}', 'registro da habilitação {}', 'a carteira de motorista dele é {}', 'CNH nº {} vencida', 'motorista {} liberado']),
  titulo: id(
    ['título de eleitor {}', '{}', 'título: {}'],
    ['{}', 'título eleitoral {}', 'meu título é o {}', 'TSE - consulta {}', 'inscrição {} regular', 'número do título {} zona 12']),
  ssn: id(
    ['SSN {}', 'my social security number is {}', 'social security {} on file'],
    ['SSN: {}', 'social security {} verified', 'the SSN on the form is {}', 'ssn {} does not match', 'her social security number, {}, was rejected', 'W-2 for SSN {}']),
  nino: id(
    ['NI number {}', '{} is my nino', 'national insurance {}'],
    ['{}', 'NINO {}', 'National Insurance number: {}', 'my NI number is {}', 'payroll ref {} (NI)', 'HMRC letter for {}']),
  nhs: id(
    ['NHS number {}', 'nhs {}'],
    ['NHS {}', 'NHS number: {}', 'the NHS no. is {}', 'patient NHS number {} found', 'NHS-Nr {}', 'lookup NHS {} failed']),
  dni: id(
    ['DNI {}', 'mi dni es {}', '{}'],
    ['{}', 'DNI: {}', 'el DNI del cliente es {}', 'con DNI {} no aparece', 'documento {} caducado', 'alta de {} en nómina']),
  nie: id(
    ['NIE {}', 'mi nie es {}', '{}'],
    ['{}', 'NIE: {}', 'el NIE del cliente es {}', 'con NIE {} no aparece', 'documento {} caducado', 'alta de {} en nómina']),
  steuer: id(
    ['Steuer-ID {}', 'meine Steuernummer ist {}', 'IdNr. {}', 'tax id {} ok', 'German TIN {}'],
    ['Steuer-ID: {}', 'Steueridentifikationsnummer {}', 'die IdNr lautet {}', 'ELSTER: Steuer-ID {} ungültig', 'meine Steuer-Identifikationsnummer ist {}', 'tax id {} (Germany)']),
  nir: id(
    ['numéro de sécu {}', 'NIR {}', '{}', 'sa carte Vitale : {}', 'la carte de {}'],
    ['{}', 'NIR : {}', 'mon numéro de sécurité sociale est {}', 'assuré {} introuvable', 'carte vitale {} expirée', 'Ameli - {}']),
  codicefiscale: id(
    ['codice fiscale {}', 'il mio cf è {}', '{}'],
    ['{}', 'C.F. {}', 'il codice fiscale del cliente è {}', 'CF: {} non valido', 'tessera sanitaria {}', 'fattura intestata a {}']),
  bsn: id(
    ['BSN {}', 'mijn bsn is {}'],
    ['BSN: {}', 'burgerservicenummer {}', 'het BSN van de klant is {}', 'BSN-nummer {} onbekend', 'DigiD voor BSN {}', 'sofinummer {}']),
  pesel: id(
    ['PESEL {}', 'mój pesel to {}'],
    ['PESEL: {}', 'numer PESEL {}', 'PESEL pacjenta to {}', 'nie znaleziono PESEL {}', 'pesel {} w bazie', 'ZUS: PESEL {}']),
  nip: id(
    ['NIP {}', 'nip firmy: {}'],
    ['NIP: {}', 'numer NIP {}', 'NIP firmy to {}', 'faktura na NIP {}', 'nip {} w bazie', 'VAT/NIP {}']),
  ric: id(
    ['身份证 {}', '{}', 'id {}', '号码{}。', '他的{}号'],
    ['{}', '身份证号码 {}', '身份证号：{}', '用户{}已登记', 'resident id {}', '查询 {} 失败']),
  email: id(
    ['e-mail {}', 'mande para {}', '{} - Outlook', 'from: {}'],
    ['{}', 'meu e-mail é {}', 'Re: {} - Caixa de entrada', 'send it to {}, please', 'escribe a {}.', '<{}>', 'usuario={} ok', 'mailto:{}', 'login {} falhou']),
  ipv4: id(
    ['ping {}', 'servidor {}', '{}:8080'],
    ['{}', 'ssh root@{}', 'http://{}/admin', 'o IP dele é {}', '{} respondeu em 3 ms', 'proxy {}:3128', 'nslookup host {}', 'failed from {} port 22', '{}/24 via eth0']),
  ipv6: id(
    ['ping6 {}', 'addr {}', '{}'],
    ['{}', 'inet6 {}/64', 'http://[{}]:8080/', 'o IPv6 é {}', 'route via {} dev eth0', 'from {} port 22']),
  mac: id(
    ['MAC {}', 'ether {}', '{}'],
    ['{}', 'link/ether {} brd ff', 'o MAC da impressora é {}', 'arp: {} at 5', 'DHCP lease {} ok', 'HWaddr {}']),
  jwt: id(
    ['token {}', 'Bearer {}', '{}'],
    ['{}', 'Authorization: Bearer {}', 'curl -H "Authorization: Bearer {}" https://example.com', 'o jwt é {}', '?access_token={}&x=1', 'Set-Cookie: session={}; Path=/']),
  pem: id(
    ['{}', 'chave: {}'],
    ['{}', 'a chave é {} ok', 'cat id_rsa {}', 'paste: {}', 'KEY="{}"']),
  phonebr: id(
    ['telefone {}', 'meu celular é {}', '{}'],
    ['{}', 'tel. {}', 'me liga no {}', 'WhatsApp {} - Maria', 'contato: {} (recado)', 'celular {} não atende', 'fone/fax {}', 'o número é {}, fala com a recepção']),
  phoneintl: id(
    ['phone {}', 'call {}', '{}'],
    ['{}', 'call me at {}', 'Tel.: {}', 'llámame al {}', 'Telefon {}', 'numéro {}', 'mobile {} or email']),
  urlcred: id(
    ['git clone https://{}@example.com/x', 'https://{}@example.com', 'mount smb://{}@srv/d'],
    ['https://{}@example.com/x', 'abrir ftp://{}@files.example.com/', 'wget http://{}@example.com/a.zip -O x', 'DATABASE_URL=postgres://{}@db.example.com:5432/app', 'psql "postgresql://{}@localhost/db"', 'proxy: http://{}@10.0.0.1:3128 ok', 'smb://{}@nas/dados', 'amqp://{}@mq:5672', 'redis://{}@cache:6379/0']),
  secret_pt: id(
    ['a senha é {}', 'senha: {}', 'minha senha é {}', 'a senha do wi-fi é {}', 'usa a senha {} para entrar', 'senha de acesso {}', 'código: {}', 'coloca {} na senha', 'a nova senha ficou {}', 'login maria senha {}', 'loga com {} como senha', 'a senha agora é {}', 'senha padrão {}', 'a senha da conta do banco é {}', 'deixei a senha como {}', 'senha do zap: {}', 'pin do celular {}'],
    ['A senha é {}', 'senha {}', 'Senha nova: {}', 'a senha do computador é {}', 'pode entrar com a senha {}', 'a senha do e-mail dela é {} tá', 'anota aí a senha: {}',
      'usuário joao, senha {}', 'minha senha antiga era {}', 'troquei a senha para {}', 'a senha do roteador continua {}', 'digita {} que é a senha', 'o PIN é {}', 'tenta a senha {} ou liga para a TI',
      'o token do banco é {}', 'chave de acesso: {}', 'user: maria / senha: {}', 'a senha provisória que mandaram foi {}', 'Senha do Wi-Fi: {}', 'o código de verificação é {}', 'senha=​{}']),
  secret_en: id(
    ['the password is {}', 'password: {}', 'my pin is {}', 'use password {} to log in', 'the wifi password is {}', 'your code is {}', 'set the password to {}', 'pwd {}'],
    ['The password is {}', 'password {}', 'New password: {}', 'my password is {} thanks', 'log in with password {}', 'the admin password was {}', "here's the password: {}", 'user bob, password {}',
      'I changed the password to {}', 'type {} as the password', 'the PIN is {}', 'passphrase: {}', 'your verification code is {}', 'username: bob password: {}', 'the router password is still {}',
      'try the password {} first', 'temporary password {}', 'OTP {}', 'the wifi key is {}', 'secret: {}']),
  secret_es: id(
    ['la contraseña es {}', 'contraseña: {}', 'mi clave es {}', 'usa la contraseña {}', 'el código es {}', 'la clave del wifi es {}', 'cambié la contraseña a {}', 'mi contraseña ahora es {}', 'pon {} de contraseña', 'con la clave {} entras'],
    ['La contraseña es {}', 'contraseña {}', 'Nueva contraseña: {}', 'la contraseña del correo es {} vale', 'entra con la contraseña {}', 'mi clave de acceso es {}', 'el PIN es {}',
      'usuario maria, contraseña {}', 'apunta la contraseña: {}', 'escribe {} como contraseña', 'la clave del router sigue siendo {}', 'el código de verificación es {}', 'prueba con la contraseña {}',
      'usuario: maria clave: {}', 'la contraseña temporal es {}', 'cambiaron la clave a {}', 'tu contraseña era {}', 'contrasena: {}']),
  secret_cmd: id(
    ['mysql -u root -p{} base', 'net use Z: \\\\srv\\d {} /user:maria', '--password={}', 'export TOKEN={}', 'sshpass -p {} ssh host', 'curl -u maria:{} https://example.com', 'net use * \\\\10.0.0.2\\share /user:maria {}', 'net use \\\\srv\\x {} /u:maria', 'runas /user:x cmd & echo {} | clip', 'setx DB_PASSWORD {}', 'podman login -u a -p {} x.example.com', 'az login -u a -p {}', 'mariadb -uapp -p{} -h db', 'mysqladmin -u root password {}', 'unzip -P {} a.zip', '7z x -p{} a.7z', 'ftp> user maria {}'],
    ['net use \\\\servidor\\dados /user:EMPRESA\\maria {}', 'net use X: \\\\10.1.1.1\\c$ {} /user:admin /persistent:yes', 'net user suporte {} /add', 'cmdkey /add:srv01 /user:maria /pass:{}',
      'mysql --user=root --password={} clientes', 'mysqldump -uroot -p{} erp > erp.sql', 'PGPASSWORD={} psql -h db -U app', 'sshpass -p {} scp a b:', 'curl --user admin:{} http://example.com/x', 'wget --http-password={} https://example.com',
      'echo {} | sudo -S apt update', 'ftp ftp://joao:{}@example.com/', 'smbclient //srv/dados -U maria%{}', 'xfreerdp /v:pc01 /u:maria /p:{}', 'setx API_KEY {}', 'export AWS_SECRET_ACCESS_KEY={}', 'ldapsearch -x -D cn=admin -w {} -b dc=x',
      'redis-cli -a {} ping', 'docker login -u maria -p {} registry.example.com', 'openssl pkcs12 -in a.pfx -passin pass:{}', '$cred = ConvertTo-SecureString {} -AsPlainText -Force', 'echo "maria:{}" | chpasswd', 'Server=db;User Id=sa;Password={};Database=erp',
      'htpasswd -b .htpasswd maria {}', 'plink -ssh root@host -pw {} ls']),
  // Two lines of a chat: the secret is the second.
  secret_chat: id(
    ['a senha é\n{}', 'qual a senha?\n{}', 'the password is\n{}', 'la contraseña es\n{}', 'minha senha\n{}', 'me manda o código do sms\n{}', 'pwd?\n{}', 'pásame la clave porfa\n{}', 'vou te passar a senha agora\n{}', 'the code is:\n{}', 'anota a senha\n{}'],
    ['qual é a senha do computador?\n{}', 'me passa a senha por favor\n{}', 'a senha é essa:\n{}', 'segue a senha\n{}', "what's the password?\n{}", 'can you send me the password\n{}', 'password:\n{}', 'the wifi password is\n{}',
      '¿cuál es la contraseña?\n{}', 'dame la clave del wifi\n{}', 'contraseña:\n{}', 'qual o código que chegou no celular?\n{}']),
};
