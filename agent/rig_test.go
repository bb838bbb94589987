package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"aval/agent"
	"aval/agent/consent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	"aval/agent/store"
)

// rig is a running service in this process, spoken to over its socket as the
// desktop helper, the window and the command line do.
type rig struct {
	t      *testing.T
	dir    string
	socket string
	group  string
	stop   func()
	tools  []string // whose logs it follows; none: other tests run tools too
}

// patience bounds every wait; a busy machine is slow, not broken.
const patience = 20 * time.Second

// newRig enrols a state folder with a company (by its documents: the summarizer
// itself is not needed here) and starts the service.
func newRig(t *testing.T, policies map[string]string) *rig {
	t.Helper()
	return newRigOf(t, policies, nil)
}

// newRigOf is newRig with options of the company's own choice, for which the
// server's key is enough.
func newRigOf(t *testing.T, policies map[string]string, choose func(*record.Options)) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, dir: dir, socket: filepath.Join(dir, "agent.sock")}
	for name, text := range policies {
		p := filepath.Join(dir, "policies", name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(text), 0o644))
	}
	st, err := store.Open(filepath.Join(dir, "state"), store.Options{})
	must(t, err)
	pub, priv, err := ed25519.GenerateKey(nil)
	must(t, err)
	options := record.Options{
		V: 1, Company: "c1", Device: "d1", Version: 1, At: time.Now().UTC(), Expires: time.Now().Add(time.Hour).UTC(),
		CompanyName: "Example Support", Outgoing: consent.OutgoingAll, Incoming: consent.IncomingOff, LogSessions: true,
		Engine: "rules", RetentionDays: 90,
	}
	if choose != nil {
		choose(&options)
	}
	opts, err := record.Sign(priv, record.TypePolicy, options)
	must(t, err)
	must(t, st.PutDoc("options", opts))
	enrolment, err := json.Marshal(map[string]any{"company": "c1", "company_name": "Example Support", "device": "d1",
		"server_key": []byte(pub), "release_key": []byte(pub), "server": "https://127.0.0.1:1", "pin": ""})
	must(t, err)
	must(t, st.PutDoc("enrolment", enrolment))
	must(t, st.Close())
	r.start()
	return r
}

func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- agent.Run(ctx, agent.Config{Build: "test", StateDir: filepath.Join(r.dir, "state"), Socket: r.socket,
			PolicyDir: filepath.Join(r.dir, "policies"), Group: r.group, Tools: r.tools, Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		r.t.Fatalf("service ended: %v", err)
	case <-time.After(patience):
		r.t.Fatal("service did not start")
	}
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					r.t.Errorf("service: %v", err)
				}
			case <-time.After(patience):
				r.t.Error("service did not stop")
			}
		})
	}
	r.t.Cleanup(func() { r.stop() })
}

func (r *rig) dial() *ipc.Client {
	r.t.Helper()
	c, err := ipc.Dial(context.Background(), r.socket, ipc.Hello{Program: "test"})
	must(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	return c
}

func call[R any](r *rig, c *ipc.Client, m ipc.Method, params any) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var out R
	err := c.Call(ctx, m, params, &out)
	return out, err
}

func (r *rig) begin(c *ipc.Client, b ipc.SessionBegin) ipc.SessionBeginResult {
	r.t.Helper()
	if b.Tool == "" {
		b.Tool = "test"
	}
	if b.Supporter == "" {
		b.Supporter = "Alex"
	}
	out, err := call[ipc.SessionBeginResult](r, c, ipc.MethodSessionBegin, b)
	must(r.t, err)
	return out
}

func (r *rig) note(c *ipc.Client, id, text string) ipc.SessionEventResult {
	r.t.Helper()
	out, err := call[ipc.SessionEventResult](r, c, ipc.MethodSessionEvent,
		ipc.SessionEvent{ID: id, Kind: event.Note, Fields: map[string]string{"text": text}})
	must(r.t, err)
	return out
}

func (r *rig) sent(c *ipc.Client) []ipc.SentEvent {
	r.t.Helper()
	out, err := call[ipc.SentResult](r, c, ipc.MethodSent, ipc.Sent{})
	must(r.t, err)
	return out.Events
}

func (r *rig) consents(c *ipc.Client) []ipc.ConsentEntry {
	r.t.Helper()
	out, err := call[ipc.ConsentListResult](r, c, ipc.MethodConsentList, ipc.ConsentListPage{})
	must(r.t, err)
	// Another x11vnc on the machine that runs the test is none of its business.
	return slices.DeleteFunc(out.Entries, func(e ipc.ConsentEntry) bool { return e.Tool == "x11vnc" })
}

func (r *rig) session(c *ipc.Client, name string) (ipc.SessionInfo, bool) {
	r.t.Helper()
	all, err := call[[]ipc.SessionInfo](r, c, ipc.MethodSessionList, nil)
	must(r.t, err)
	i := slices.IndexFunc(all, func(s ipc.SessionInfo) bool { return s.Session == name })
	if i < 0 {
		return ipc.SessionInfo{}, false
	}
	return all[i], true
}

// eventually waits for a condition.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	r.t.Fatalf("never came about: %s", what)
}

// person is a desktop's helper with somebody in front of it, as a program of the
// same protocol that aval-desktop speaks.
type person struct {
	r       *rig
	c       *ipc.Client
	display string
	dial    func() (*ipc.Client, error) // as this person's windows do

	mu      sync.Mutex
	answer  func(p *person, open ipc.PromptOpen) // what happens to a question
	visible bool
	alive   bool
	capture ipc.Capture
	asked   []ipc.Question
	rungs   []string
	notices []string // sessions that were told of
	closed  []string // questions that were taken away
	ind     ipc.Indicator

	heard     []ipc.Heard // what it says of the next presses
	listening ipc.Listening
	watched   ipc.Watch
	results   []ipc.QuestionAnswerResult
}

// sit starts a helper for a display. answer nil: nobody reacts.
func (r *rig) sit(display string, answer func(*person, ipc.PromptOpen)) *person {
	r.t.Helper()
	p := &person{r: r, c: r.dial(), display: display, answer: answer, visible: true, alive: true}
	p.dial = func() (*ipc.Client, error) {
		return ipc.Dial(context.Background(), r.socket, ipc.Hello{Program: "test"})
	}
	_, err := call[ipc.DesktopRegisterResult](r, p.c, ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: display, Type: "x11", Locale: "en",
		Offers: []event.Group{event.Windows, event.Commands, event.Files, event.Chat}})
	must(r.t, err)
	go p.live()
	return p
}

func (p *person) live() {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case push, ok := <-p.c.Pushes():
			if !ok {
				return
			}
			p.take(push)
		case <-tick.C:
			p.mu.Lock()
			alive := p.alive && len(p.ind.Sessions) > 0
			p.mu.Unlock()
			if alive {
				_ = p.c.Call(context.Background(), ipc.MethodDesktopAlive, nil, nil)
			}
		}
	}
}

func (p *person) take(push ipc.Push) {
	switch push.Name {
	case ipc.PushPromptOpen:
		var open ipc.PromptOpen
		_ = json.Unmarshal(push.Data, &open)
		p.mu.Lock()
		p.rungs = append(p.rungs, open.Rung)
		answer := p.answer
		p.mu.Unlock()
		if answer != nil {
			go answer(p, open)
		}
	case ipc.PushPromptClose:
		var gone ipc.PromptClose
		_ = json.Unmarshal(push.Data, &gone)
		p.mu.Lock()
		p.closed = append(p.closed, gone.Question)
		p.mu.Unlock()
	case ipc.PushNotice:
		var of ipc.NoticeOf
		_ = json.Unmarshal(push.Data, &of)
		p.mu.Lock()
		p.notices = append(p.notices, of.Session)
		p.mu.Unlock()
	case ipc.PushIndicator:
		p.mu.Lock()
		p.ind = ipc.Indicator{}
		_ = json.Unmarshal(push.Data, &p.ind)
		rev, visible := p.ind.Revision, p.visible
		p.mu.Unlock()
		_ = p.c.Call(context.Background(), ipc.MethodDesktopIndicator, ipc.DesktopIndicator{Revision: rev, Visible: visible}, nil)
	case ipc.PushCapture:
		p.mu.Lock()
		p.capture = ipc.Capture{}
		_ = json.Unmarshal(push.Data, &p.capture)
		p.mu.Unlock()
	case ipc.PushListen:
		p.mu.Lock()
		p.listening = ipc.Listening{}
		_ = json.Unmarshal(push.Data, &p.listening)
		p.mu.Unlock()
	case ipc.PushWatch:
		p.mu.Lock()
		_ = json.Unmarshal(push.Data, &p.watched)
		p.mu.Unlock()
	case ipc.PushHear:
		var hear ipc.Hear
		_ = json.Unmarshal(push.Data, &hear)
		p.mu.Lock()
		h := ipc.Heard{From: consent.FromAbsent}
		if len(p.heard) > 0 {
			h = p.heard[0]
		}
		if len(p.heard) > 1 {
			p.heard = p.heard[1:]
		}
		p.mu.Unlock()
		h.ID = hear.ID
		_ = p.c.Call(context.Background(), ipc.MethodDesktopHeard, h, nil)
	}
}

func (p *person) watching() ipc.Capture {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.capture
}

// window reports a window as the helper's watcher does.
func (p *person) window(epoch uint64, title string) {
	p.r.t.Helper()
	_, err := call[ipc.Empty](p.r, p.c, ipc.MethodDesktopEvent, ipc.DesktopEvent{Epoch: epoch, Kind: event.WindowFocused, At: time.Now(),
		Fields: map[string]string{"app": "XTerm", "title": title}})
	must(p.r.t, err)
}

// open fetches the question over a connection of its own, as a window does.
func (p *person) open(o ipc.PromptOpen) (*ipc.Client, ipc.Question, error) {
	c, err := p.dial()
	if err != nil {
		return nil, ipc.Question{}, err
	}
	var q ipc.Question
	if err := c.Call(context.Background(), ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question, Nonce: o.Nonce}, &q); err != nil {
		c.Close()
		return nil, q, err
	}
	p.mu.Lock()
	p.asked = append(p.asked, q)
	p.mu.Unlock()
	return c, q, nil
}

// says answers every question with yes or no.
func says(yes bool) func(*person, ipc.PromptOpen) {
	return func(p *person, o ipc.PromptOpen) {
		c, q, err := p.open(o)
		if err != nil {
			return
		}
		defer c.Close()
		var shown ipc.QuestionShownResult
		_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en", TextSHA256: "00"}, &shown)
		var res ipc.QuestionAnswerResult
		_ = c.Call(context.Background(), ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: yes, Groups: q.Offered}, &res)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newULID() string { return ulid.Make().String() }

// decode reads the body of a signed record, unverified.
func decode(t *testing.T, envelope []byte, body any) {
	t.Helper()
	_, payload, err := record.Peek(envelope)
	must(t, err)
	must(t, json.Unmarshal(payload, body))
}

// shows leaves the question on the screen, unanswered.
func shows(p *person, o ipc.PromptOpen) {
	c, _, err := p.open(o)
	if err == nil {
		_ = c.Call(context.Background(), ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question}, nil)
	}
}

func (p *person) says(answer func(*person, ipc.PromptOpen)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *person) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}
