package viewmodel_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/ui/viewmodel"
)

// asks are words that belong to a question and its answer, in the languages of
// which the test knows them.
var asks = map[string]*regexp.Regexp{
	"en":    regexp.MustCompile(`(?i)consent|permission|permit|agree|allow`),
	"pt-BR": regexp.MustCompile(`(?i)consent|permiss|permit|concord|aceit[ae]r|autoriz`),
	"es":    regexp.MustCompile(`(?i)consent|permis|permit|autoriz`),
	"de":    regexp.MustCompile(`(?i)einwillig|zustimm|erlaub|genehmig`),
	"fr":    regexp.MustCompile(`(?i)consent|permission|permett|autoris`),
	"it":    regexp.MustCompile(`(?i)consens|permess|permett|autorizz`),
}

// TestNoticeAsksNothing: a policy is announced, never presented as an agreement.
// Fault planted once: "permite" for "registra" in notice.what.
func TestNoticeAsksNothing(t *testing.T) {
	for _, lang := range assets.Langs() {
		for _, enforced := range []bool{true, false} {
			v := viewmodel.NewNotice(ipc.Notice{Tool: "x11vnc", Supporter: "Ana Souza", Address: "192.0.2.7", Groups: event.Groups, Enforced: enforced,
				Company: ipc.QuestionCompany{Name: "Example Support", Engine: "rules", RetentionDays: 90}}, assets.For(lang))
			all := strings.Join(append([]string{v.Title, v.What, v.Now, v.Why, v.Act, v.Done, v.Failed, v.See, v.OK, v.Native}, v.Seen...), "\n")
			if re := asks[lang]; re != nil && re.MatchString(all) {
				t.Errorf("%s: %q\n%s", lang, re.FindString(all), all)
			}
			for _, want := range []string{"Example Support", "Ana Souza", "192.0.2.7", "90"} {
				if !strings.Contains(all, want) {
					t.Errorf("%s: %q is not said:\n%s", lang, want, all)
				}
			}
			if strings.Contains(all, "[") || strings.Contains(all, "{") {
				t.Errorf("%s: a text is missing:\n%s", lang, all)
			}
		}
	}
}

// TestNoticeIsCleaned: what comes from outside is one line of plain text.
func TestNoticeIsCleaned(t *testing.T) {
	v := viewmodel.NewNotice(ipc.Notice{Supporter: "A\nB\u202e", Tool: "t\x00", Company: ipc.QuestionCompany{Name: "C\nD"}}, assets.For("en"))
	for _, s := range append([]string{v.What, v.Now, v.Why}, v.Seen...) {
		if strings.ContainsAny(s, "\n\x00\u202e") {
			t.Errorf("%q", s)
		}
	}
	if v := viewmodel.NewNotice(ipc.Notice{}, assets.For("en")); strings.Contains(v.Now, "  ") || strings.HasPrefix(v.Now, " ") {
		t.Errorf("without a name: %q", v.Now)
	}
}

// TestModelIsNamed: which model reads the record, and whether it is sent to somebody
// for that, is said in the question's details and in the notice, in every language;
// under the rules neither is there. Fault planted once: the host taken for EngineHere
// wherever there is one.
func TestModelIsNamed(t *testing.T) {
	for _, lang := range assets.Langs() {
		for engine, want := range map[string][]string{
			"rules":                        nil,
			"qwen2.5:7b@localhost":         {"qwen2.5:7b"},
			"qwen2.5:7b@llm.example.com":   {"qwen2.5:7b", "llm.example.com"},
			"@cf/meta/llama@10.0.0.5:8080": {"@cf/meta/llama", "10.0.0.5:8080"},
			"gpt\u202e@x\n.example":        {"gpt", "x .example"},
		} {
			c := ipc.QuestionCompany{Name: "Example Support", Engine: engine, RetentionDays: 90}
			cat := assets.For(lang)
			asked := viewmodel.New(ipc.Question{Tool: "x11vnc", Companies: []ipc.QuestionCompany{c}, Offered: event.Groups}, cat, time.Now())
			told := viewmodel.NewNotice(ipc.Notice{Tool: "x11vnc", Groups: event.Groups, Company: c}, cat)
			for what, lines := range map[string][]string{"question": asked.Details, "notice": told.Seen} {
				all := strings.Join(lines, "\n")
				for _, w := range want {
					if !strings.Contains(all, w) {
						t.Errorf("%s, %s in %s: without %q", engine, what, lang, w)
					}
				}
				if engine == "rules" && strings.Contains(all, "llm") || strings.ContainsAny(strings.Join(lines, ""), "\u202e\n{") || strings.Contains(all, "localhost") {
					t.Errorf("%s, %s in %s: %s", engine, what, lang, all)
				}
			}
		}
	}
}
