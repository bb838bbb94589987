package redact

import "strings"

// What a word can be, several at once.
const (
	isStrong    = 1 << iota // said of secrets; after "é", ":" or the like whatever follows is one, otherwise what looks like one
	isWeak                  // also said of other things: only what looks like a secret goes, and nothing where another word says what sort of code or key it is
	isQualifier             // beside a weak word makes it a strong one: "código de verificação"
	isOther                 // beside a weak word says that it is something else
	isAssign                // the value comes after it
	isChange                // before the keyword makes "para", "to", "a" assign
	isTowards
	isCue      // before the keyword says that the value is to be used: "entra com a senha X"
	isFiller   // may stand between the word and the value
	isBenign   // follows "senha é" without being one
	isAdverb   // may stand between "is" and the value
	isBetween  // may stand between a value and the keyword after it
	isAsk      // of somebody who wants a secret told
	isAnnounce // may follow the keyword in a line that announces
	isAck      // answers without being a secret
	isCluster  // a program that looks up and names what it calls secrets
)

// vocabulary says what each word is, in lower case.
var vocabulary = func() map[string]uint16 {
	m := map[string]uint16{}
	for what, words := range map[uint16]string{
		isStrong: "pw pswd psw senha senhas password passwords passwd pwd passphrase passcode contraseña contraseñas contrasena pin otp 2fa mfa clave",
		isWeak:   "token código codigo code chave key secret segredo pass cvv cvc",
		isQualifier: "acesso access acceso verificação verificacao verification verificación verificacion confirmação confirmation wifi wi-fi rede network banco bank segurança seguridad security " +
			"login sms whatsapp ativação activation autenticação authentication desbloqueio unlock",
		isOther: "erro error errores barras barra produto product postal zip cep chamado ticket pedido order cliente customer " +
			"retorno return status saída saida exit fonte source review http licença fenda inglesa página page country area registro registry",
		isAssign:  "é eh is es era foi was será sera ficou continua sigue siendo still fica : = -> => := – —",
		isChange:  "deixei deixou dejé puse troquei trocou mudei mudou alterei alterou redefini redefiniu coloquei botei changed change set reset updated cambié cambie cambió cambiaron cambio puse puso trocaram mudaram trocar mudar alterar",
		isTowards: "para pra pro to a por as como",
		isCue: "loga logar com con with use usa usar using user usuário usuario username login entra entrar entre try tenta tente tentar prueba provisória temporária temporary temporal nova nueva new " +
			"digita digite type enter escribe ingresa informe coloca põe bota pon anota apunta admin root",
		isFiller: "a o as os the la el lo do da de del d' of for para no na em en in my minha meu mi sua seu your tu su nova novo new nueva " +
			"atual current wifi wi-fi rede email e-mail correo conta acesso access acceso login admin usuário usuario user aqui here - – roteador router computador pc banco bank " +
			"verificação verification verificación segurança security seguridad temporária temporary temporal provisória que mandaram ele ela eles dela dele her his essa esta este this celular cel telefone phone móvil zap whatsapp instagram facebook gmail outlook windows servidor server sistema system site app banco maquina máquina",
		isBenign: "required obrigatória obrigatoria obrigatório necessária necesaria necessary needed incorrect incorreta incorrecta inválida invalida invalid " +
			"wrong errada expired expirada vencida expirou venceu expira correct correta correcta weak fraca débil strong forte fuerte same mesma misma igual changed alterada cambiada trocada " +
			"not não nao no muito very too empty vazia reset redefinida blocked bloqueada manager managers safe generator gerador policy política settings configurações protected protegida " +
			"recovery recuperação recuperacion recuperar vencer hint field box change padrão default pessoal personal longa curta long short simples simple fácil easy difícil " +
			"encrypted criptografada saved salva guardada gravada enviada sent mine yours minha sua working funcionando funciona que what which qual quais cual se si if because porque ou or y e and " +
			"diferente different única antiga old esquecida forgotten esqueci olvidada anterior again novamente agora now ahora já ya aqui here só only apenas também also sempre " +
			"must should needs deve debe tem has pode can could will vai está esta is was foi for com con with sem without sin dos das ao à please favor thanks obrigado gracias",
		isAdverb:  "now agora ahora still ainda just só solo apenas always sempre siempre",
		isBetween: "con com with pela por na no en la el a o as the como que é is es my minha mi your sua tu de da do for para del",
		isAsk: "qual quais cual cuál what whats which tell send give type enter share passa passe manda mande envia envie mandar enviar diga digita digite informe informa " +
			"dame dime pásame pasame envíame enviame mándame mandame escribe need preciso precisa necesito want quero can could pode poderia puedes puede",
		isAnnounce: "aí ai abaixo below esta está this following siguiente seguinte agora now ahora ok então entonces vai va segue sigue vou mandar te passar passo please por favor pf pls sistema system " +
			"computador pc servidor server site banco router roteador modem notebook vpn windows dele dela vocês vc você ustedes e and",
		isCluster: "kubectl oc",
		isAck: "pera peraí ok okay sim não nao no yes si sí claro certo beleza blz perfeito perfecto perfect obrigado obrigada gracias thanks thank valeu espera espere wait momento minuto minute segundo um só so just " +
			"one uno pronto listo done feito oi olá ola hello hi entendi entiendo understood deu funcionou works funciona aqui here já ya vou ver peraí perai calma pode puede segundos já-já tá ta bom bueno good great " +
			"errada errado wrong incorreta incorrecta mal de novo otra vez again mandei enviei sent chegou entrou logou conectou conectado connected",
	} {
		for w := range strings.FieldsSeq(words) {
			m[w] |= what
		}
	}
	return m
}()

// longestWord is as long as any in the vocabulary, in bytes.
const longestWord = 20

// spelling is the bytes of a word of at most longestWord, in lower case, and
// zeros behind them.
type spelling struct{ a, b, c uint64 }

// spell spells a word with ASCII letters in lower case. ascii: it has no others.
func spell(w string) (k spelling, ascii bool) {
	n := len(w)
	switch {
	case n > 16:
		k = spelling{load(w, 0), load(w, 8), load(w, n-8) >> (8 * (24 - n))}
	case n > 8:
		k = spelling{load(w, 0), load(w, n-8) >> (8 * (16 - n)), 0}
	case n == 8:
		k.a = load(w, 0)
	case n >= 4:
		k.a = load4(w, 0) | load4(w, n-4)<<(8*(n-4))
	case n > 0:
		k.a = uint64(w[0]) | uint64(w[n/2])<<(8*(n/2)) | uint64(w[n-1])<<(8*(n-1))
	}
	ascii = (k.a|k.b|k.c)&tops == 0
	return spelling{small(k.a), small(k.b), small(k.c)}, ascii
}

// load4 are the bytes s[p:p+4], the first lowest.
func load4(s string, p int) uint64 {
	b := s[p : p+4]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
}

// small makes the ASCII capitals of eight bytes small letters.
func small(x uint64) uint64 {
	low := x &^ tops
	capitals := (low + (0x80-'A')*ones) &^ (low + (0x80-'Z'-1)*ones) &^ x & tops
	return x | capitals>>2
}

// lexicon is the vocabulary to look things up in. Most words of a text are not in
// it, which one bit tells.
var lexicon = func() *dictionary {
	d := &dictionary{}
	for w, means := range vocabulary {
		k, _ := spell(w)
		h := k.hash()
		d.known[h>>58] |= 1 << (h >> 52 & 63)
		slot := h >> 54
		d.entries = append(d.entries, entry{k, means, d.first[slot]})
		d.first[slot] = uint16(len(d.entries))
	}
	return d
}()

type dictionary struct {
	known   [64]uint64   // a bit for each of 4096 hashes
	first   [1024]uint16 // the first entry of a slot, counted from 1; 0: none
	entries []entry
}

type entry struct {
	spelling
	means uint16
	next  uint16
}

func (k spelling) hash() uint64 {
	return k.a*0x9E3779B97F4A7C15 ^ k.b*0xC2B2AE3D27D4EB4F ^ k.c*0x165667B19E3779F9
}

func (d *dictionary) means(k spelling) uint16 {
	h := k.hash()
	if d.known[h>>58]>>(h>>52&63)&1 == 0 {
		return 0
	}
	for i := d.first[h>>54]; i != 0; i = d.entries[i-1].next {
		if d.entries[i-1].spelling == k {
			return d.entries[i-1].means
		}
	}
	return 0
}
