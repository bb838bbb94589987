package assets

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// eachText calls see with every text that somebody at a computer meets.
func eachText(lang string, see func(key, text string)) {
	for key, m := range catalog(lang).texts {
		if !slices.Contains(Server, areaOf(key)) {
			for _, text := range m {
				see(key, text)
			}
		}
	}
}

// TestOneWord: a thing has one name in a language. Each line is a word that once
// stood beside another for the same thing, and the one that stayed.
// Planted: "Comprovante" on the button of the Portuguese "recibo".
func TestOneWord(t *testing.T) {
	for _, row := range []struct{ lang, not, but string }{
		{"en", `\b[Tt]he support\b[^'’ ]`, "support"},
		{"en", `if it stays so`, "if it goes on"},
		{"pt-BR", `(?i)\bcomprovante\b`, "recibo"},
		{"pt-BR", `(?i)\b(Guardar para|Guardado em)\b`, "salvar (a file)"},
		{"pt-BR", `(?i)\bligad[oa]s? a\b`, "vinculado (to a company)"},
		{"pt-BR", `(?i)\bser[áã]o? perguntad|\bé perguntad|foi perguntado\b`, "o Aval pergunta"},
		{"pt-BR", `(?i)\b(a|da|na) procura\b|\bprocurar\b`, "pesquisa"},
		{"de", `\bFirm(a|en)\b`, "Unternehmen"},
		{"de", `Support-Sitzung|Fernwartungssitzung`, "Supportsitzung"},
		{"de", `unterschrieben`, "signiert"},
		{"es", `(?i)\brecibo\b`, "comprobante"},
		{"es", `(?i)\bdetener\b`, "parar"},
		{"fr", `(?i)\b(politique|stratégie)`, "règle"},
		{"fr", `(?i)\b(de|au|le) support\b`, "assistance"},
		{"fr", `(?i)\beffacer\b|effacé\b`, "supprimer"},
		{"fr", `(?i)\bobjection`, "opposition"},
		{"it", `(?i)\bpolitica\b`, "criterio"},
		{"it", `(?i)\b(di|al|il) supporto\b`, "assistenza"},
		{"it", `(?i)\bcancellar|\bcancellata`, "eliminare"},
		{"it", `\bLei (è|ha|cancella)\b|[Ll]e Sue`, "lei"},
		{"nl", `(?i)ondersteuning`, "support"},
		{"nl", `\b[Dd]e support\b`, "support"},
		{"nl", `(?i)\b(ge)?wissen\b|\bgewist\b`, "verwijderen"},
		{"nl", `(?i)ontvangstbewijs`, "bewijs"},
		{"pl", `\b(bez|przez) SI\b`, "AI"},
		{"pl", `(?i)\b(proszę|prosimy|Państwa)\b`, "the imperative, and Ty"},
		{"pl", `(?i)rejestrowa`, "zapisywać"},
		{"pl", `(?i)plik\w* wsparcia`, "plik pomocy technicznej"},
		{"ja", `あなたの選択`, "ご自身の選択"},
		{"ja", `その控えを|それぞれの控え`, "コピー (控え is the receipt)"},
		{"zh-Hans", `计算机|此电脑`, "这台电脑"},
		{"zh-Hans", `凭据`, "凭证"},
		{"zh-Hans", `横条|状态条|记录栏`, "记录条"},
		{"zh-Hans", `撰写`, "编写"},
	} {
		not := regexp.MustCompile(row.not)
		eachText(row.lang, func(key, text string) {
			if found := not.FindString(text); found != "" {
				t.Errorf("%s: %s says %q, elsewhere it is %s: %q", row.lang, key, found, row.but, text)
			}
		})
	}
}

// TestTypography: quotation marks, apostrophes and spaces are those of the
// language (for French: Lexique des règles typographiques en usage à
// l'Imprimerie nationale; for German: DIN 5008).
// Planted: a plain space before a French colon, "…" without a space in German.
func TestTypography(t *testing.T) {
	other := regexp.MustCompile(`https?:|sha256:|aval [a-z-]+( [a-z-]+)*`) // no words of the language
	for _, row := range []struct{ lang, wrong, why string }{
		{"", `"|\.\.\.|  `, "plain quotation marks, three dots or two spaces"},
		{"en", `’`, "English has one kind of apostrophe here"},
		{"fr", `'`, "an apostrophe is ’"},
		{"fr", `[^\x{A0}][;:?!»]`, "no space that does not break before ; : ? ! »"},
		{"fr", `«[^\x{A0}]`, "no space that does not break after «"},
		{"it", `'`, "an apostrophe is ’"},
		{"nl", `[“”]|[a-z]'s`, "quotation marks are ‘ ’, an apostrophe is ’"},
		{"de", `[a-zäöüß]…`, "no space before …"},
		{"de", `”|“[^ .,:;)?]`, "quotation marks are „ “"},
		{"pl", `“`, "quotation marks are „ ”"},
		{"es", `[“”„]`, "quotation marks are « »"},
		{"ja", `[ぁ-んァ-ヶ一-龥}]: ?|[ぁ-んァ-ヶ一-龥][,.?!;]`, "punctuation is full-width"},
		{"ja", `[をにはが] Aval`, "no space between Japanese and Aval"},
		{"zh-Hans", `[一-龥][,:?!;]`, "punctuation is full-width"},
	} {
		wrong := regexp.MustCompile(row.wrong)
		for _, lang := range Langs() {
			if row.lang == "" || row.lang == lang {
				eachText(lang, func(key, text string) {
					if found := wrong.FindString(other.ReplaceAllString(text, "1")); found != "" {
						t.Errorf("%s: %s: %q: %s: %q", lang, key, found, row.why, text)
					}
				})
			}
		}
	}
}

// TestNobodysSex: what is said of somebody by name fits whoever it is.
// Planted: "{supporter} está conectado agora."
func TestNobodysSex(t *testing.T) {
	for lang, wrong := range map[string]string{
		"pt-BR": `conectad[oa]\b`, "es": `conectad[oa]\b|desconectad[oa] `, "fr": `connecté\b|déconnecté\b`,
		"it": `(dis|s)?conness[oa]\b|collegat[oa]\b`, "pl": `połączył |zakończył |rozłączył `,
	} {
		re := regexp.MustCompile(wrong)
		eachText(lang, func(key, text string) {
			if strings.Contains(text, "{supporter}") && re.MatchString(text) && !strings.Contains(text, "se ha desconectado") {
				t.Errorf("%s: %s: %q", lang, key, text)
			}
		})
	}
}
