package link_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"aval/agent"
	"aval/agent/event"
	"aval/agent/ipc"
	"aval/agent/record"
	astore "aval/agent/store"
)

// patience bounds every wait; a busy machine is slow, not broken.
const patience = 30 * time.Second

// desk is a whole agent in this process, with somebody in front of it who speaks
// the protocol of aval-desktop and of the question's window.
type desk struct {
	t      *testing.T
	dir    string
	socket string
	module record.Module // that the service runs for; empty: none
	policy string        // the folder of local policies; empty: there are none
	tokens string        // the folder of token files; empty: there is none
	is     astore.Machine
	c      *ipc.Client
	stop   func()
	helper *ipc.Client // of the desktop

	mu    sync.Mutex
	yes   bool
	mute  bool // its windows do not come
	asked []ipc.Question
	done  map[string]bool
}

func startDesk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{t: t, dir: dir, socket: filepath.Join(dir, "agent.sock"), yes: true, done: map[string]bool{}}
	d.start()
	t.Cleanup(func() { d.stop() })
	return d
}

func (d *desk) start() {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- agent.Run(ctx, agent.Config{Build: "test", StateDir: filepath.Join(d.dir, "state"), Socket: d.socket, PolicyDir: d.policy, TokenDir: d.tokens, Machine: d.is, Module: d.module, Ready: func() { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		d.t.Fatalf("service: %v", err)
	case <-time.After(patience):
		d.t.Fatal("the service does not start")
	}
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					d.t.Errorf("service: %v", err)
				}
			case <-time.After(patience):
				d.t.Error("the service does not stop")
			}
		})
	}
	d.c = d.dial()
	helper := d.dial() // a connection answers one thing after the other
	err := helper.Call(context.Background(), ipc.MethodDesktopRegister, ipc.DesktopRegister{Display: ":7", Type: "x11", Locale: "en",
		Offers: []event.Group{event.Windows, event.Commands, event.Files, event.Chat}}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.helper = helper
	go d.live(helper)
}

func (d *desk) dial() *ipc.Client {
	d.t.Helper()
	c, err := ipc.Dial(context.Background(), d.socket, ipc.Hello{Program: "test"})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { c.Close() })
	return c
}

// say asks the service one thing.
func say[R any](d *desk, m ipc.Method, params any) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out R
	err := d.c.Call(ctx, m, params, &out)
	return out, err
}

// restartWith starts the service anew with a local policy.
func (d *desk) restartWith(policy string) {
	d.t.Helper()
	d.stop()
	d.policy = filepath.Join(d.dir, "policies")
	if err := os.MkdirAll(filepath.Join(d.policy, "recommended"), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.policy, "recommended", "test.json"), []byte(policy), 0o644); err != nil {
		d.t.Fatal(err)
	}
	d.start()
}

// live answers what the service pushes to the desktop, until the connection ends.
func (d *desk) live(c *ipc.Client) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case push, ok := <-c.Pushes():
			if !ok {
				return
			}
			switch push.Name {
			case ipc.PushIndicator:
				var ind ipc.Indicator
				_ = json.Unmarshal(push.Data, &ind)
				_ = c.Call(context.Background(), ipc.MethodDesktopIndicator, ipc.DesktopIndicator{Revision: ind.Revision, Visible: true}, nil)
			case ipc.PushPromptOpen:
				var open ipc.PromptOpen
				_ = json.Unmarshal(push.Data, &open)
				go d.answer(open)
			}
		case <-tick.C:
			_ = c.Call(context.Background(), ipc.MethodDesktopAlive, nil, nil)
		}
	}
}

// answer is the window: it fetches the question, shows it and answers.
func (d *desk) answer(o ipc.PromptOpen) {
	d.mu.Lock()
	mute := d.mute
	d.mu.Unlock()
	if mute {
		return
	}
	ctx := context.Background()
	c, err := ipc.Dial(ctx, d.socket, ipc.Hello{Program: "test"})
	if err != nil {
		return
	}
	defer c.Close()
	var q ipc.Question
	if c.Call(ctx, ipc.MethodQuestionClaim, ipc.QuestionClaim{Question: o.Question, Nonce: o.Nonce}, &q) != nil {
		return
	}
	d.mu.Lock()
	d.asked = append(d.asked, q)
	yes := d.yes
	d.mu.Unlock()
	_ = c.Call(ctx, ipc.MethodQuestionShown, ipc.QuestionShown{Question: o.Question, Locale: "en"}, nil)
	_ = c.Call(ctx, ipc.MethodQuestionAnswer, ipc.QuestionAnswer{Question: o.Question, Allow: yes, Groups: q.Offered}, nil)
}

func (d *desk) questions() []ipc.Question {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

func (d *desk) eventually(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	d.t.Fatalf("never came about: %s", what)
}

func (d *desk) session(name string) (ipc.SessionInfo, bool) {
	d.t.Helper()
	all, err := say[[]ipc.SessionInfo](d, ipc.MethodSessionList, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s ipc.SessionInfo) bool { return s.Session == name })
	if i < 0 {
		return ipc.SessionInfo{}, false
	}
	return all[i], true
}
