// Package far is a server of a language model in this process, for tests: what the
// chat completions protocol says that one takes and answers, with faults on demand.
//
// The one rule that must not be broken: it is written after the protocol's
// documentation (OpenAI's API reference, chat/completions) and shares no code with
// what is tested against it.
package far

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server answers chat completions. Its fields are set before the first request.
type Server struct {
	*httptest.Server
	// Key must be carried by Header ("Authorization: Bearer KEY" where it is
	// empty); empty: none is asked for.
	Key, Header string
	// Lacks are what this server does not know: json_schema, json_object,
	// max_tokens, temperature. Asked for, it answers 400, as those servers do.
	Lacks []string
	// Say makes the answer's content; nil: Honest.
	Say func(n int, a Asked) string
	// Fault answers instead, where it returns true; n counts requests from 1.
	Fault func(n int, w http.ResponseWriter, r *http.Request) bool

	mu   sync.Mutex // guards what follows
	seen []Asked
}

// Asked is one request that reached the model.
type Asked struct {
	Model, System, User string
	Format              string // the type of response_format; empty: none
	Events              []Event
	Body                string
}

// Event is one event that the model was shown.
type Event struct {
	ID     int               `json:"id"`
	Kind   string            `json:"kind"`
	Fields map[string]string `json:"fields"`
}

// New serves until the test ends, without TLS.
func New(t testing.TB) *Server {
	s := Serve()
	t.Cleanup(s.Close)
	return s
}

// Serve serves until Close, without TLS.
func Serve() *Server {
	s := &Server{}
	s.Server = httptest.NewServer(s)
	return s
}

// Base is the address to configure.
func (s *Server) Base() string { return s.URL + "/v1" }

// Asked are the requests that reached the model so far.
func (s *Server) Asked() []Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

var marked = regexp.MustCompile(`(?s)-----BEGIN DATA ([0-9a-f]{16,})-----\n(.*)\n-----END DATA ([0-9a-f]{16,})-----`)

func refuse(w http.ResponseWriter, status int, code, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": fmt.Sprintf(format, args...), "type": "invalid_request_error", "code": code}})
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header, want := s.Header, s.Key
	if header == "" {
		header, want = "Authorization", "Bearer "+s.Key
	}
	switch {
	case s.Key != "" && r.Header.Get(header) != want:
		refuse(w, http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided")
		return
	case r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/chat/completions") || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		refuse(w, http.StatusNotFound, "not_found", "no such address")
		return
	}
	var raw map[string]json.RawMessage
	var body struct {
		Model    string `json:"model"`
		Messages []struct {
			Role, Content string
		} `json:"messages"`
		Stream bool `json:"stream"`
		Format *struct {
			Type   string `json:"type"`
			Schema *struct {
				Name   string         `json:"name"`
				Strict bool           `json:"strict"`
				Schema map[string]any `json:"schema"`
			} `json:"json_schema"`
		} `json:"response_format"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20))
	var whole json.RawMessage
	if err := d.Decode(&whole); err != nil || json.Unmarshal(whole, &raw) != nil || json.Unmarshal(whole, &body) != nil {
		refuse(w, http.StatusBadRequest, "invalid_json", "could not parse the body")
		return
	}
	a := Asked{Model: body.Model, Body: string(whole)}
	if body.Format != nil {
		a.Format = body.Format.Type
	}
	for _, lack := range s.Lacks {
		_, sent := raw[lack]
		switch {
		case lack == a.Format && lack == "json_schema":
			refuse(w, http.StatusBadRequest, "", `Either "json_schema" or "grammar" can be specified, but not both`)
			return
		case lack == a.Format:
			refuse(w, http.StatusBadRequest, "", "'response_format.type' must be 'json_schema' or 'text'")
			return
		case sent && lack == "max_tokens":
			refuse(w, http.StatusBadRequest, "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
			return
		case sent && lack == "temperature":
			refuse(w, http.StatusBadRequest, "unsupported_value", "Unsupported value: 'temperature' does not support 0 with this model.")
			return
		}
	}
	if a.Format == "json_schema" && (body.Format.Schema == nil || body.Format.Schema.Name == "" || !body.Format.Schema.Strict || !strictest(body.Format.Schema.Schema)) {
		refuse(w, http.StatusBadRequest, "invalid_schema", "the schema is not a strict one")
		return
	}
	for _, m := range body.Messages {
		switch m.Role {
		case "system":
			a.System += m.Content
		case "user":
			a.User += m.Content
		}
	}
	if m := marked.FindStringSubmatch(a.User); m != nil && m[1] == m[3] {
		var data struct {
			Events []Event `json:"events"`
		}
		if json.Unmarshal([]byte(m[2]), &data) == nil {
			a.Events = data.Events
		}
	}
	s.mu.Lock()
	s.seen = append(s.seen, a)
	n := len(s.seen)
	s.mu.Unlock()
	if s.Fault != nil && s.Fault(n, w, r) {
		return
	}
	say := s.Say
	if say == nil {
		say = func(_ int, a Asked) string { return Honest(a) }
	}
	Complete(w, say(n, a), "stop")
}

// strictest tells whether a schema is one that strict structured outputs take:
// each object names all of its properties as required and allows no others.
func strictest(s map[string]any) bool {
	if s["type"] == "array" {
		items, ok := s["items"].(map[string]any)
		return ok && strictest(items)
	}
	if s["type"] != "object" {
		return s["type"] != nil
	}
	props, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	if s["additionalProperties"] != false || len(props) == 0 || len(required) != len(props) {
		return false
	}
	for _, p := range props {
		if m, ok := p.(map[string]any); !ok || !strictest(m) {
			return false
		}
	}
	return true
}

// Complete writes a completion as the protocol has it.
func Complete(w http.ResponseWriter, content, finish string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": "chatcmpl-1", "object": "chat.completion", "created": time.Now().Unix(), "model": "far",
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": content}}},
		"usage":   map[string]any{"prompt_tokens": 1200, "completion_tokens": 210, "total_tokens": 1410}})
}

// Claim is one statement.
type Claim struct {
	Text     string `json:"text"`
	Evidence []int  `json:"evidence"`
}

// Step is one step.
type Step struct {
	Application string `json:"application"`
	Action      string `json:"action"`
	Evidence    []int  `json:"evidence"`
}

// Type is one issue type.
type Type struct {
	Key      string `json:"key"`
	Evidence []int  `json:"evidence"`
}

// Answer is what the model is asked for.
type Answer struct {
	Language  string  `json:"language"`
	Name      Claim   `json:"name"`
	Sentences []Claim `json:"sentences"`
	Steps     []Step  `json:"steps"`
	FollowUps []Claim `json:"follow_ups"`
	Types     []Type  `json:"issue_types"`
}

// JSON is the answer as a model writes it.
func (a Answer) JSON() string {
	b, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Lang is the language that a request asks for.
func (a Asked) Lang() string {
	if strings.Contains(a.System, `"language" is "pt-BR"`) {
		return "pt-BR"
	}
	return "en"
}

// Tell is a true answer about the events of a request.
func Tell(a Asked) Answer {
	pt := a.Lang() == "pt-BR"
	say := func(inPT, inEN string) string {
		if pt {
			return inPT
		}
		return inEN
	}
	out := Answer{Language: a.Lang(), Sentences: []Claim{}, Steps: []Step{}, FollowUps: []Claim{}, Types: []Type{}}
	add := func(text string, id int) { out.Sentences = append(out.Sentences, Claim{text, []int{id}}) }
	for _, e := range a.Events {
		f := e.Fields
		switch e.Kind {
		case "chat":
			if out.Name.Text == "" {
				out.Name = Claim{f["text"], []int{e.ID}}
			}
			if strings.Contains(strings.ToLower(f["text"]), "impress") || strings.Contains(strings.ToLower(f["text"]), "print") {
				out.Types = append(out.Types, Type{"printing", []int{e.ID}})
			}
		case "command-run", "program-started":
			add(say("Foi executado o programa ", "The program that was run is ")+f["program"], e.ID)
			out.Steps = append(out.Steps, Step{f["program"], say("O programa "+f["program"]+" foi executado.", "The program "+f["program"]+" was run."), []int{e.ID}})
		case "package-changed":
			add(say("O pacote "+f["name"]+" foi atualizado.", "The package "+f["name"]+" was changed."), e.ID)
		case "service-changed":
			add(say("O serviço "+f["name"]+" foi reiniciado.", "The service "+f["name"]+" was restarted."), e.ID)
		case "window-focused":
			add(say("Foi aberta a janela do programa ", "The window that was opened is of ")+f["app"], e.ID)
		case "note":
			add(say("O suporte anotou o que foi feito: “", "The supporter noted what was done: “")+f["text"]+"”", e.ID)
		}
	}
	if len(out.Sentences) > 8 {
		out.Sentences = out.Sentences[:8]
	}
	if out.Name.Evidence == nil {
		out.Name.Evidence = []int{}
	}
	return out
}

// Honest is what a model that does as it is told answers.
func Honest(a Asked) string { return Tell(a).JSON() }
