package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How people write passwords in Portuguese, English and Spanish: "a senha do
// wi-fi é Gato2024", "your PIN 4711", "digita Gato2024 que é a senha".

// contextWords are the literals of which one is in every word below: the scan
// looks for them.
var contextWords = []string{"senha", "password", "passwd", "pwd", "passphrase", "contrasena", "pin", "otp", "2fa", "mfa", "pass",
	"token", "digo", "code", "chave", "key", "clave", "secret", "segredo", "cvv", "cvc", "passcode", "pw", "pswd", "psw"}

// strong words are said of secrets; after "é", ":" or the like whatever follows
// is one, otherwise what looks like one.
var strong = set("pw pswd psw senha senhas password passwords passwd pwd passphrase passcode contraseña contraseñas contrasena pin otp 2fa mfa clave")

// weak words are also said of other things: only what looks like a secret goes,
// and nothing where another word says what sort of code or key it is.
var weak = set("token código codigo code chave key secret segredo pass cvv cvc")

// qualifiers beside a weak word make it a strong one: "código de verificação".
var qualifiers = set("acesso access acceso verificação verificacao verification verificación verificacion confirmação confirmation wifi wi-fi rede network banco bank segurança seguridad security " +
	"login sms whatsapp ativação activation autenticação authentication desbloqueio unlock")

// others after a weak word say that it is something else.
var others = set("erro error errores barras barra produto product postal zip cep chamado ticket pedido order cliente customer " +
	"retorno return status saída saida exit fonte source review http licença fenda inglesa página page country area registro registry")

// assigns are words after which the value comes.
var assigns = set("é eh is es era foi was será sera ficou continua sigue siendo still fica : = -> => := – —")

// changes before the keyword make "para", "to", "a" assign.
var changes = set("deixei deixou dejé puse troquei trocou mudei mudou alterei alterou redefini redefiniu coloquei botei changed change set reset updated cambié cambie cambió cambiaron cambio puse puso trocaram mudaram trocar mudar alterar")

var towards = set("para pra pro to a por as como")

// cues before the keyword say that the value is to be used: "entra com a senha X".
var cues = set("loga logar com con with use usa usar using user usuário usuario username login entra entrar entre try tenta tente tentar prueba provisória temporária temporary temporal nova nueva new " +
	"digita digite type enter escribe ingresa informe coloca põe bota pon anota apunta admin root")

// fillers may stand between the word and the value.
var fillers = set("a o as os the la el lo do da de del d' of for para no na em en in my minha meu mi sua seu your tu su nova novo new nueva " +
	"atual current wifi wi-fi rede email e-mail correo conta acesso access acceso login admin usuário usuario user aqui here - – roteador router computador pc banco bank " +
	"verificação verification verificación segurança security seguridad temporária temporary temporal provisória que mandaram ele ela eles dela dele her his essa esta este this celular cel telefone phone móvil zap whatsapp instagram facebook gmail outlook windows servidor server sistema system site app banco maquina máquina")

// benign words follow "senha é" without being one.
var benign = set("required obrigatória obrigatoria obrigatório necessária necesaria necessary needed incorrect incorreta incorrecta inválida invalida invalid " +
	"wrong errada expired expirada vencida expirou venceu expira correct correta correcta weak fraca débil strong forte fuerte same mesma misma igual changed alterada cambiada trocada " +
	"not não nao no muito very too empty vazia reset redefinida blocked bloqueada manager managers safe generator gerador policy política settings configurações protected protegida " +
	"recovery recuperação recuperacion recuperar vencer hint field box change padrão default pessoal personal longa curta long short simples simple fácil easy difícil " +
	"encrypted criptografada saved salva guardada gravada enviada sent mine yours minha sua working funcionando funciona que what which qual quais cual se si if because porque ou or y e and " +
	"diferente different única antiga old esquecida forgotten esqueci olvidada anterior again novamente agora now ahora já ya aqui here só only apenas também also sempre " +
	"must should needs deve debe tem has pode can could will vai está esta is was foi for com con with sem without sin dos das ao à please favor thanks obrigado gracias")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// word is a stretch between blanks; core is it without punctuation, lower case.
type word struct {
	from, to int
	core     string
	colon    bool // ends with : or =
	stop     bool // ends a sentence
}

func (w word) in(s string) string { return s[w.from:w.to] }

// assigned tells whether the word says that the value comes next.
func (w word) assigned(s string) bool { return w.colon || assigns[w.core] || assigns[w.in(s)] }

func contextual(s string) []span {
	ws := words(s)
	var out []span
	for i := 0; i < len(ws); i++ {
		isStrong := strong[ws[i].core]
		if !isStrong && !weak[ws[i].core] {
			continue
		}
		if !isStrong && i > 0 && others[ws[i-1].core] { // "error code"
			continue
		}
		if !isStrong && (i > 0 && qualifiers[ws[i-1].core] || qualified(ws[i+1:])) {
			isStrong = true
		}
		at := -1
		if !ws[i].stop {
			at = target(s, ws, i, isStrong)
		}
		if at < 0 {
			if at = targetBefore(s, ws, i, isStrong); at >= 0 {
				if from, to := trimmed(s, ws[at].from, ws[at].to); from < to && (len(out) == 0 || out[len(out)-1].to <= from) {
					out = append(out, span{from, to, MarkSecret})
				}
			}
			continue
		}
		last := at
		// "senha: Gato 2024": what follows at once and looks like a part of it.
		for last+1 < len(ws) && last < at+2 && !ws[last].stop && secretive(ws[last+1].in(s)) {
			last++
		}
		from, to := trimmed(s, ws[at].from, ws[last].to)
		if from < to && (len(out) == 0 || out[len(out)-1].to <= from) {
			out = append(out, span{from, to, MarkSecret})
		}
		i = last
	}
	return out
}

// qualified: one of the next two words that are no small ones qualifies.
func qualified(ws []word) bool {
	for k, w := range ws {
		if k == 3 || w.colon && !qualifiers[w.core] {
			return false
		}
		if qualifiers[w.core] {
			return true
		}
		if !fillers[w.core] {
			return false
		}
	}
	return false
}

// target is the index of the word to remove for the keyword at i, or -1.
func target(s string, ws []word, i int, isStrong bool) int {
	changed, cued := false, false
	for j := max(0, i-4); j < i; j++ {
		changed = changed || changes[ws[j].core]
		cued = cued || cues[ws[j].core]
	}
	// Does an assignment follow within six words?
	assigned, at := ws[i].colon, i+1
	for j := i + 1; !assigned && j < len(ws) && j <= i+7; j++ {
		if !isStrong && others[ws[j].core] {
			return -1
		}
		if ws[j].assigned(s) || changed && towards[ws[j].core] {
			assigned, at = true, j+1
		}
		if ws[j].stop || secretive(ws[j].in(s)) {
			break
		}
	}
	for skipped := 0; at < len(ws) && skipped < 6; skipped++ {
		w := ws[at]
		text := w.in(s)
		switch {
		case assigns[w.core] || assigns[text]:
			assigned = true
			at++
			continue
		case assigned && adverbs[w.core] && at+1 < len(ws):
			at++
			continue
		case !isStrong && others[w.core]:
			return -1
		case secretive(text) && !clockOrDate(text):
			return at
		case fillers[w.core] && at+1 < len(ws) || w.core == "" && !assigned:
			at++
			continue
		case benign[w.core] && !assigned && at+1 < len(ws) && !w.stop: // "senha padrão X": only what looks like one
			at++
			continue
		case benign[w.core], fillers[w.core]:
			return -1
		case assigned && (isStrong || mixed(text)):
			return at
		case isStrong && (at == i+1 || qualifiers[ws[at-1].core]) && !fillers[w.core] && (cued || i <= 1 && at == len(ws)-1) && len([]rune(w.core)) >= 4:
			return at
		}
		return -1
	}
	return -1
}

// adverbs may stand between "is" and the value.
var adverbs = set("now agora ahora still ainda just só solo apenas always sempre siempre")

// beforeWords stand between a value and the keyword after it.
var beforeWords = set("con com with pela por na no en la el a o as the como que é is es my minha mi your sua tu de da do for para del")

// targetBefore is the index of a value that stands before the keyword at i:
// "coloca X na senha", "type X as the password", "X é a senha".
func targetBefore(s string, ws []word, i int, isStrong bool) int {
	j := i - 1
	for ; j >= 0 && i-j <= 4 && beforeWords[ws[j].core]; j-- {
	}
	if j < 0 || j == i-1 || i-j > 5 || ws[j].stop || ws[j].colon || !isStrong {
		return -1
	}
	text := ws[j].in(s)
	told := j > 0 && (cues[ws[j-1].core] || changes[ws[j-1].core] || assigns[ws[j-1].core] && secretive(text))
	says := false
	for k := j + 1; k < i; k++ {
		says = says || assigns[ws[k].core]
	}
	if secretive(text) && !clockOrDate(text) && (told || says || j == 0) || told && !benign[ws[j].core] && !fillers[ws[j].core] && len([]rune(ws[j].core)) >= 4 {
		return j
	}
	return -1
}

// secretive tells whether a word looks like a password or a code: at least four
// characters, a digit among them, or a sign in the middle of letters.
func secretive(text string) bool {
	core := strings.TrimFunc(text, func(r rune) bool { return strings.ContainsRune(`"'()[]{}<>,;:.!?`, r) })
	if len([]rune(core)) < 4 || strings.HasPrefix(strings.ToLower(core), "0x") || strings.HasPrefix(core, "/") || strings.Contains(core, "://") {
		return false
	}
	for _, r := range core {
		if unicode.IsDigit(r) || strings.ContainsRune("@#$%&*!+=^~?", r) {
			return true
		}
	}
	return false
}

// mixed: capitals after small letters, as in what a generator makes.
func mixed(text string) bool {
	small, turns := false, 0
	for _, r := range text {
		if unicode.IsUpper(r) && small {
			turns++
		}
		small = unicode.IsLower(r)
	}
	return turns >= 1 && len(text) >= 6
}

func words(s string) []word {
	ws := make([]word, 0, 1+strings.Count(s, " "))
	from := -1
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != ' ' {
			if from < 0 {
				from = i
			}
			continue
		}
		if from >= 0 {
			w := s[from:i]
			bare, short := strings.CutSuffix(w, "'s") // password's
			ws = append(ws, word{
				from: from, to: i,
				core:  core(bare),
				colon: short || strings.HasSuffix(w, ":") || strings.HasSuffix(w, "="),
				stop:  strings.HasSuffix(w, ".") || strings.HasSuffix(w, ";") || strings.HasSuffix(w, "?"),
			})
			from = -1
		}
	}
	return ws
}

// core is a word without the punctuation around it, lower case.
func core(w string) string {
	from, to := 0, len(w)
	for from < to && w[from] < utf8.RuneSelf && asciiPunct(w[from]) {
		from++
	}
	for to > from && w[to-1] < utf8.RuneSelf && asciiPunct(w[to-1]) {
		to--
	}
	w = w[from:to]
	for i := range len(w) {
		if w[i] >= utf8.RuneSelf {
			return strings.ToLower(strings.TrimFunc(w, unicode.IsPunct))
		}
	}
	return lower(w)
}

// asciiPunct is unicode.IsPunct for ASCII.
func asciiPunct(c byte) bool { return strings.IndexByte("!\"#%&'()*,-./:;?@[\\]_{}", c) >= 0 }

// trimmed leaves quotes and a sentence's last sign outside.
func trimmed(s string, from, to int) (int, int) {
	for from < to && strings.ContainsRune(`"'(`, rune(s[from])) {
		from++
	}
	for to > from && strings.ContainsRune(`"').,;`, rune(s[to-1])) {
		to--
	}
	return from, to
}
