package llm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/agent/event"
	"aval/summarizer/summary"
	"aval/summarizer/summary/llm"
	"aval/summarizer/summary/llm/far"
	"aval/summarizer/summary/sample"
)

// engine is one that asks s, as whoever runs a server would set it up.
func engine(t *testing.T, s *far.Server, more ...func(*llm.Config)) *llm.Engine {
	t.Helper()
	c := llm.Config{URL: s.Base(), Model: "example-7b", Timeout: 20 * time.Second}
	for _, f := range more {
		f(&c)
	}
	e, err := llm.NewPool(llm.Options{}).Engine(c, true)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// write has e write about in, which was allowed for it.
func write(t *testing.T, e *llm.Engine, in summary.Session, lang string) (summary.Summary, *summary.Failure) {
	t.Helper()
	in.Engine = e.Name()
	s, err := e.Write(t.Context(), in, lang)
	var f *summary.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("an error of another kind: %v", err)
	}
	if err == nil {
		sound(t, in, s)
	}
	return s, f
}

// anyLink is what no summary of a model may hold, looked for in another way than
// the program does: by what a browser or a mail program makes links of.
var anyLink = regexp.MustCompile(`(?i)://|www\.|mailto:|javascript:|\bdata:|\.(com|net|org|io|app|ru|cn|tk|link|click|xyz)\b|@[a-z]|\]\(|<[a-z/!]|&#|\*\*|` + "`")

// sound is what holds of every summary that came out, whatever the model said:
// each sentence rests on events of the session or on its record, no link and no
// markup is in what is not the rules' own, and the outcome is the rules' outcome.
func sound(t *testing.T, in summary.Session, s summary.Summary) {
	t.Helper()
	rules := summary.Rules(in, s.Language)
	own := map[string]bool{}
	for _, r := range slices.Concat(rules.Sentences, rules.FollowUps) {
		own[r.Text] = true
	}
	for _, st := range rules.Steps {
		own[st.Action] = true
	}
	there := map[uint64]bool{}
	for _, e := range in.Events {
		there[e.Seq] = true
	}
	check := func(text string, ev summary.Evidence) {
		if len(ev.Events) == 0 && ev.Record == "" {
			t.Errorf("a claim without evidence: %q", text)
		}
		for _, n := range ev.Events {
			if !there[n] {
				t.Errorf("a claim with an event %d that is not there: %q", n, text)
			}
		}
		if !own[text] && anyLink.MatchString(text) {
			t.Errorf("a link or markup: %q", text)
		}
		if strings.ContainsFunc(text, func(r rune) bool {
			return r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0xE0000 && r <= 0xE007F
		}) {
			t.Errorf("control characters: %q", text)
		}
		if len([]rune(text)) > 1500 {
			t.Errorf("%d characters", len([]rune(text)))
		}
	}
	for _, x := range slices.Concat(s.Sentences, s.FollowUps) {
		check(x.Text, x.Evidence)
	}
	for _, st := range s.Steps {
		check(st.Action, st.Evidence)
		if !slices.ContainsFunc(rules.Steps, func(r summary.Step) bool { return r.Application == st.Application }) {
			check(st.Application, st.Evidence)
		}
		for _, c := range st.Commands {
			if !slices.ContainsFunc(in.Events, func(e event.Event) bool {
				return summary.Clean(e.Fields["command"], 200) == c || e.Fields["program"] == c
			}) {
				t.Errorf("a command that nobody ran: %q", c)
			}
		}
	}
	if s.Name != rules.Name && anyLink.MatchString(s.Name) {
		t.Errorf("a link in the title: %q", s.Name)
	}
	if s.Outcome.State != rules.Outcome.State || s.Outcome.Text != rules.Outcome.Text {
		t.Errorf("outcome %s %q, and the events say %s %q", s.Outcome.State, s.Outcome.Text, rules.Outcome.State, rules.Outcome.Text)
	}
	for _, must := range []string{rules.Sentences[0].Text, rules.Sentences[len(rules.Sentences)-1].Text} {
		if !strings.Contains(s.Text, must) {
			t.Errorf("the summary does not say %q", must)
		}
	}
}

// TestWrites: an answer that is borne out becomes the summary, in either language,
// with the rules' own frame around it; and no name or address leaves. Seen caught:
// with scrubbed taken out of write, the note's do.
func TestWrites(t *testing.T) {
	for _, lang := range []string{"pt-BR", "en"} {
		s := far.New(t)
		e := engine(t, s)
		in := sample.Printer(lang)
		note := &in.Events[19]
		note.Fields = map[string]string{"text": note.Fields["text"] + " Ana Souza, ana.souza@example.com, 529.982.247-25"}
		got, f := write(t, e, in, lang)
		if f != nil {
			t.Fatal(f)
		}
		if got.Engine != "example-7b@localhost" || got.Language != lang || got.Made == nil || got.Made.Kept < 3 || got.Made.Dropped != 0 || got.Made.TokensIn != 1200 || len(got.Made.InputHash) != 64 {
			t.Errorf("%s %s %+v", got.Engine, got.Language, got.Made)
		}
		if !strings.Contains(got.Text, "cupsenable") || got.Outcome.State != summary.Resolved || len(got.Steps) == 0 || got.IssueTypes[0].Key != "printing" {
			t.Errorf("%s: %+v", lang, got)
		}
		a := s.Asked()[0]
		if a.Format != "json_schema" || strings.Contains(a.Body, "Ana") || strings.Contains(a.Body, "ouza") || strings.Contains(a.Body, "529") || !strings.Contains(a.Body, "[CPF]") || strings.Contains(a.Body, "tool_choice") || strings.Contains(a.Body, `"tools"`) || len(a.Events) == 0 {
			t.Errorf("%s: %s", lang, a.Body)
		}
		for _, ev := range a.Events {
			if strings.Contains(a.System, ev.Fields["text"]+ev.Fields["title"]+ev.Fields["command"]) && ev.Fields["text"]+ev.Fields["title"]+ev.Fields["command"] != "" {
				t.Errorf("an event stands among the instructions: %v", ev)
			}
		}
	}
}

// TestGranted: what was allowed for anything else is sent to nobody. Seen caught:
// with the comparison at the beginning of Write taken out, every line fails.
func TestGranted(t *testing.T) {
	s := far.New(t)
	e := engine(t, s)
	for _, granted := range []string{"", "rules", "example-7b", "example-7b@llm.example.com", "example-14b@localhost", "EXAMPLE-7B@localhost", "example-7b@localhost ", "example-7b@localhost:8080"} {
		in := sample.Printer("en")
		in.Engine = granted
		_, err := e.Write(t.Context(), in, "en")
		var f *summary.Failure
		if !errors.As(err, &f) || f.Why != summary.WhyGranted || f.Later {
			t.Errorf("allowed for %q: %v", granted, err)
		}
	}
	if n := len(s.Asked()); n != 0 {
		t.Errorf("the model was asked %d times", n)
	}
}

// TestLadder: a server that does not know a way of being asked is asked otherwise,
// and that is remembered.
func TestLadder(t *testing.T) {
	for name, c := range map[string]struct {
		lacks []string
		form  string
	}{
		"all":     {nil, "json_schema"},
		"object":  {[]string{"json_schema"}, "json_object"},
		"text":    {[]string{"json_schema", "json_object"}, ""},
		"newest":  {[]string{"max_tokens", "temperature"}, "json_schema"},
		"nothing": {[]string{"max_tokens", "temperature", "json_schema", "json_object"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := far.New(t)
			s.Lacks = c.lacks
			calls := 0
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls++; s.ServeHTTP(w, r) })
			if c.form == "" {
				s.Say = func(_ int, a far.Asked) string {
					return "Sure! Here it is:\n```json\n" + far.Honest(a) + "\n```\nAnything else?"
				}
			}
			e := engine(t, s)
			for i := range 2 {
				if _, f := write(t, e, sample.Printer("en"), "en"); f != nil {
					t.Fatalf("summary %d: %v", i, f)
				}
			}
			all := s.Asked()
			if len(all) != 2 || all[1].Format != c.form || calls != 2+len(c.lacks) {
				t.Errorf("%d calls for %d lacks, %d reached the model, in the end by %q", calls, len(c.lacks), len(all), all[len(all)-1].Format)
			}
		})
	}
}

// TestKey: the key goes where it belongs, and into no error.
func TestKey(t *testing.T) {
	for _, header := range []string{"", "api-key"} {
		s := far.New(t)
		s.Key, s.Header = "canary-key-1", header
		e := engine(t, s, func(c *llm.Config) { c.Key, c.Header = "canary-key-1", header })
		if _, f := write(t, e, sample.Printer("en"), "en"); f != nil {
			t.Errorf("%q: %v", header, f)
		}
		wrong := engine(t, s, func(c *llm.Config) { c.Key, c.Header = "canary-key-2", header })
		_, f := write(t, wrong, sample.Printer("en"), "en")
		if f == nil || f.Why != summary.WhyRefused || f.Later || !strings.Contains(f.Error(), "invalid_api_key") || strings.Contains(fmt.Sprintf("%v %+v", f, f.Err), "canary") {
			t.Errorf("%q: %v", header, f)
		}
	}
	c := llm.Config{URL: "https://llm.example.com/v1", Model: "m", Key: "canary-key-3"}
	if raw, err := json.Marshal(c); err != nil || strings.Contains(string(raw), "canary") {
		t.Errorf("%s %v", raw, err)
	}
}

// TestAzure: a deployment's address is used as it is, with its query.
func TestAzure(t *testing.T) {
	s := far.New(t)
	var path string
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { path = r.URL.String(); s.ServeHTTP(w, r) })
	e := engine(t, s, func(c *llm.Config) {
		c.URL = s.URL + "/openai/deployments/example/chat/completions?api-version=2024-10-21"
	})
	if _, f := write(t, e, sample.Printer("en"), "en"); f != nil || path != "/openai/deployments/example/chat/completions?api-version=2024-10-21" {
		t.Error(path, f)
	}
}

// TestFaults: whatever goes wrong at the other end, there is a Failure that says
// whether it may go better later, and nothing else.
func TestFaults(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	say := func(text string) func(int, far.Asked) string { return func(int, far.Asked) string { return text } }
	fail := func(status int, header ...string) func(int, http.ResponseWriter, *http.Request) bool {
		return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":{"message":"Quoted: A impressora do balcão canary","type":"canary words in it"}}`)
			return true
		}
	}
	for name, c := range map[string]struct {
		say   func(int, far.Asked) string
		fault func(int, http.ResponseWriter, *http.Request) bool
		why   summary.Why
		later bool
		after time.Duration
		calls int // how often the model is asked
	}{
		"429":          {fault: fail(429, "Retry-After", "7"), why: summary.WhyUnreachable, later: true, after: 7 * time.Second, calls: 1},
		"429 in ms":    {fault: fail(429, "Retry-After-Ms", "1500"), why: summary.WhyUnreachable, later: true, after: 1500 * time.Millisecond, calls: 1},
		"429 for ever": {fault: fail(429, "Retry-After", "99999999999"), why: summary.WhyUnreachable, later: true, after: time.Hour, calls: 1},
		"429 nonsense": {fault: fail(429, "Retry-After", "-3"), why: summary.WhyUnreachable, later: true, calls: 1},
		"500":          {fault: fail(500), why: summary.WhyUnreachable, later: true, calls: 1},
		"503":          {fault: fail(503, "Retry-After", "2"), why: summary.WhyUnreachable, later: true, after: 2 * time.Second, calls: 1},
		"403":          {fault: fail(403), why: summary.WhyRefused, calls: 1},
		"404":          {fault: fail(404), why: summary.WhyRefused, calls: 1},
		"redirect":     {fault: fail(307, "Location", "https://elsewhere.example/v1"), why: summary.WhyRefused, calls: 1},
		"400 for all":  {fault: fail(400), why: summary.WhyRefused, calls: 3},
		"slow":         {fault: func(_ int, _ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }, why: summary.WhyUnreachable, later: true, calls: 1},
		"slow body": {fault: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			fmt.Fprint(w, `{"choices":[`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, why: summary.WhyUnreachable, later: true, calls: 1},
		"cut connection": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
			return true
		}, why: summary.WhyUnreachable, later: true, calls: 1},
		"truncated body": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, `{"choices":[{"message":{"content":"{`)
			return true
		}, why: summary.WhyUnreachable, later: true, calls: 1},
		"a web page": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, "<html>hi</html>")
			return true
		}, why: summary.WhyInvalid, calls: 2},
		"no choice": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, `{"choices":[]}`); return true }, why: summary.WhyInvalid, calls: 2},
		"huge": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			far.Complete(w, strings.Repeat("x", 4<<20), "stop")
			return true
		}, why: summary.WhyInvalid, calls: 2},
		"length": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			far.Complete(w, `{"language":"en","name":`, "length")
			return true
		}, why: summary.WhyInvalid, calls: 2},
		"filter": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			far.Complete(w, "", "content_filter")
			return true
		}, why: summary.WhyRefused, calls: 1},
		"refusal": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":null,"refusal":"I cannot help with that."}}]}`)
			return true
		}, why: summary.WhyRefused, calls: 1},
		"a tool call": {fault: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"run","arguments":"{}"}}]}}]}`)
			return true
		}, why: summary.WhyInvalid, calls: 2},
		"refusal in words": {say: say("I'm sorry, but I can't help with that."), why: summary.WhyInvalid, calls: 2},
		"truncated JSON":   {say: func(_ int, a far.Asked) string { h := far.Honest(a); return h[:len(h)/2] }, why: summary.WhyInvalid, calls: 2},
		"wrong schema":     {say: say(`{"summary":"all is well"}`), why: summary.WhyInvalid, calls: 2},
		"one name more":    {say: func(_ int, a far.Asked) string { return `{"outcome":"resolved",` + far.Honest(a)[1:] }, why: summary.WhyInvalid, calls: 2},
		"a name twice":     {say: func(_ int, a far.Asked) string { return `{"language":"pt-BR",` + far.Honest(a)[1:] }, why: summary.WhyInvalid, calls: 2},
		"an array":         {say: func(_ int, a far.Asked) string { return "[" + far.Honest(a) + ", 5" }, why: "", calls: 1},
		"nested deep":      {say: say(strings.Repeat(`{"a":`, 5000)), why: summary.WhyInvalid, calls: 2},
		"wrong language":   {say: func(_ int, a far.Asked) string { x := far.Tell(a); x.Language = "pt-BR"; return x.JSON() }, why: summary.WhyInvalid, calls: 2},
		"really wrong language": {say: func(_ int, a far.Asked) string {
			x := far.Tell(a)
			x.Sentences = []far.Claim{{Text: "A impressora que foi parada pelo suporte não foi usada para imprimir uma das notas em um dia", Evidence: x.Name.Evidence}}
			return x.JSON()
		}, why: summary.WhyInvalid, calls: 2},
		"nothing": {say: func(_ int, a far.Asked) string { x := far.Tell(a); x.Sentences = []far.Claim{}; return x.JSON() }, why: summary.WhyUnsupported, calls: 2},
		"all invented": {say: func(_ int, a far.Asked) string {
			x := far.Tell(a)
			for i := range x.Sentences {
				x.Sentences[i].Evidence = []int{9000 + i}
			}
			return x.JSON()
		}, why: summary.WhyUnsupported, calls: 2},
		"better the second time": {say: func(n int, a far.Asked) string {
			if n == 1 {
				return "hm"
			}
			return far.Honest(a)
		}, why: "", calls: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := far.New(t)
			s.Say, s.Fault = c.say, c.fault
			e := engine(t, s, func(cfg *llm.Config) {
				if strings.HasPrefix(name, "slow") {
					cfg.Timeout = 300 * time.Millisecond
				}
			})
			_, f := write(t, e, sample.Printer("en"), "en")
			switch {
			case c.why == "" && f != nil:
				t.Errorf("%s: %v", f.Why, f)
			case c.why != "" && f == nil:
				t.Error("it was taken")
			case f != nil && (f.Why != c.why || f.Later != c.later || f.After != c.after):
				t.Errorf("%s later=%t after=%s: %v", f.Why, f.Later, f.After, f)
			case f != nil && (strings.Contains(f.Error(), "canary") || strings.Contains(f.Error(), "impressora")):
				t.Errorf("the error tells words of the session: %v", f)
			}
			if n := len(s.Asked()); n != c.calls {
				t.Errorf("the model was asked %d times", n)
			}
		})
	}
}

// TestNobodyThere: an address where nothing listens, and after five calls it is
// left alone.
func TestNobodyThere(t *testing.T) {
	s := far.New(t)
	e := engine(t, s)
	s.Close()
	for n := 1; n <= 6; n++ {
		_, f := write(t, e, sample.Printer("en"), "en")
		if f == nil || f.Why != summary.WhyUnreachable || !f.Later || (f.After > 0) != (n == 6) {
			t.Errorf("call %d: %v", n, f)
		}
	}
}

// TestPlaces: a model that is said to run here is spoken to here alone, and
// without TLS nothing leaves the own network.
func TestPlaces(t *testing.T) {
	for raw, want := range map[string]string{
		"http://localhost:11434/v1":      "m@localhost",
		"http://127.0.0.1:8080/v1":       "m@localhost",
		"http://[::1]:8080/v1":           "m@localhost",
		"https://LLM.Example.com/v1":     "m@llm.example.com",
		"https://llm.example.com:443/v1": "m@llm.example.com",
		"https://llm.example.com:8443":   "m@llm.example.com:8443",
		"http://10.0.0.5:11434/v1":       "m@10.0.0.5:11434",
		"https://[2001:db8::1]/v1":       "m@[2001:db8::1]",
	} {
		c := llm.Config{URL: raw, Model: "m"}
		if err := c.Check(); err != nil || c.Name() != want {
			t.Errorf("%s: %s %v", raw, c.Name(), err)
		}
	}
	for _, raw := range []string{"", "llm.example.com", "ftp://llm.example.com", "https://user:pw@llm.example.com/v1", "https://llm.example.com/v1#x", "https://exámple.com/v1", "https:llm.example.com", "https:///v1", "https://llm.example.com:99999/v1"} {
		c := llm.Config{URL: raw, Model: "m"}
		if c.Check() == nil {
			t.Errorf("%s was taken", raw)
		}
	}
	for _, c := range []llm.Config{{Model: "with space"}, {Model: ""}, {Model: strings.Repeat("m", 61)}, {Model: "<b>"}, {Model: "m", Header: "a b"}, {Model: "m", Key: "two\nlines"}, {Model: "m", Timeout: time.Hour}, {Model: "m", Input: 5}} {
		c.URL = "https://llm.example.com/v1"
		if c.Check() == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	// A public address without TLS: refused before a byte is sent.
	e, err := llm.NewPool(llm.Options{}).Engine(llm.Config{URL: "http://203.0.113.9/v1", Model: "m", Timeout: 5 * time.Second}, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, f := write(t, e, sample.Printer("en"), "en"); f == nil || f.Why != summary.WhyRefused || !strings.Contains(f.Error(), "https://") {
		t.Error(f)
	}
	// A company's address is spoken to by the guarded client alone.
	if _, err := llm.NewPool(llm.Options{}).Engine(llm.Config{URL: "https://llm.example.com/v1", Model: "m"}, false); err == nil {
		t.Error("without a guard a company's address is spoken to")
	}
}

// TestMetrics: what was done is counted, without a word of anybody's.
func TestMetrics(t *testing.T) {
	s := far.New(t)
	p := llm.NewPool(llm.Options{})
	e, err := p.Engine(llm.Config{URL: s.Base(), Model: "example-7b"}, true)
	if err != nil {
		t.Fatal(err)
	}
	trial, err := e.Try(t.Context(), "pt-BR")
	if err != nil || trial.Form != "json_schema" || trial.Summary.Made.Kept == 0 {
		t.Fatal(trial, err)
	}
	in := sample.Printer("en")
	in.Engine = "rules"
	_, _ = e.Write(t.Context(), in, "en")
	var b strings.Builder
	p.WriteMetrics(&b)
	for _, want := range []string{`aval_model_calls_total{answer="2xx"} 1`, `aval_model_tokens_total{way="in"} 1200`, `aval_model_summaries_total 1`, `aval_model_failures_total{why="granted-otherwise"} 1`, "aval_model_call_seconds_count 1"} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "example") {
		t.Error("the metrics name the model")
	}
}
