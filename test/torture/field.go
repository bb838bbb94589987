package torture

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"aval/test/rig"
)

// Field is one computer on which a campaign is fought: a summarizer, an agent, and
// the person's display, which is a window of another one: what is clicked on that
// window reaches the display from a device, as from a hand.
type Field struct {
	*rig.Rig
	Agent  *rig.Agent
	Outer  *rig.Display
	Person *rig.Display
	WM     *rig.Proc
	Helper *rig.Proc

	compositor string
	displays   int
	sessions   int
	mark       string // in the ids of sessions, so that no two fields share one
}

// NewField starts everything. compositor is the name of a program such as picom;
// empty: none runs.
func NewField(r *rig.Rig, compositor string) (*Field, error) {
	if err := r.CheckBin(); err != nil {
		return nil, err
	}
	// As installed: the programs that ask run with a group that others do not have.
	if os.Geteuid() == 0 {
		if err := r.Install("games"); err != nil {
			return nil, err
		}
	}
	f := &Field{Rig: r, compositor: compositor, mark: fmt.Sprint(os.Getpid())}
	s, err := r.StartSummarizer("summarizer", "en")
	if err != nil {
		return nil, err
	}
	if f.Agent, err = r.StartAgent("agent"); err != nil {
		return nil, err
	}
	// The whole campaign of one window fits into its time, on a busy machine too.
	if err := f.Agent.SetPolicy("managed", "time.json", `{"QuestionSeconds": 120}`); err != nil {
		return nil, err
	}
	if err := f.Agent.Enroll(s); err != nil {
		return nil, err
	}
	if f.Outer, err = r.StartXvfb("outer", fieldWidth, fieldHeight); err != nil {
		return nil, err
	}
	return f, f.Sit()
}

// The size of the person's screen: that of a small notebook.
const fieldWidth, fieldHeight = 1100, 720

// Sit opens the person's display with all that belongs to it: at the start, and
// after it has died.
func (f *Field) Sit() (err error) {
	f.displays++
	if f.Person, err = f.StartXephyr(fmt.Sprint("person-", f.displays), f.Outer, fieldWidth, fieldHeight, rig.WithGL); err != nil {
		return err
	}
	if err := f.Person.Background(0x3d5a66); err != nil {
		return err
	}
	if err := f.Manage(); err != nil {
		return err
	}
	if f.compositor != "" {
		args := []string{}
		if f.compositor == "picom" {
			args = []string{"--backend", "xrender", "--config", "/dev/null"}
		}
		if _, err := f.Start(rig.Cmd{Name: "compositor", Path: f.compositor, Args: args, Env: f.Env("DISPLAY=" + f.Person.Name)}); err != nil {
			return err
		}
		if err := f.Wait("the compositor", 15*time.Second, func() (bool, error) { return f.Person.Composited(), nil }); err != nil {
			return err
		}
	}
	return f.Help()
}

// Manage starts the window manager (again).
func (f *Field) Manage() (err error) {
	f.WM, err = f.StartWM(f.Person)
	return err
}

// Help starts the desktop's helper (again).
func (f *Field) Help() (err error) {
	f.Helper, err = f.Agent.StartDesktop(f.Person)
	return err
}

// Begin starts a session as a tool's hook does, and does not wait for what is
// decided. ended gives the command's own failure.
func (f *Field) Begin() (session string, ended <-chan error) {
	f.sessions++
	id := fmt.Sprintf("%s-%d", f.mark, f.sessions)
	done := make(chan error, 1)
	go func() {
		res, err := f.Agent.CLI("session", "begin", "--tool", "other", "--id", id, "--supporter", "Example", "--desktop", f.Person.Name)
		if err == nil && res.Code != 0 {
			err = fmt.Errorf("aval session begin: status %d: %s", res.Code, res.Stderr)
		}
		done <- err
	}()
	return "other/" + id, done
}

// End ends a session; one that has ended already is no error.
func (f *Field) End(session string) error {
	_, id, _ := strings.Cut(session, "/")
	_, err := f.Agent.CLI("session", "end", "--id", id)
	return err
}

// Decision is what stands in the records about a session.
func (f *Field) Decision(session string) (rig.Consent, error) {
	rows, err := f.Agent.Consents()
	if err != nil {
		return rig.Consent{}, err
	}
	for _, c := range rows {
		if c.Session == session {
			return c, nil
		}
	}
	return rig.Consent{}, fmt.Errorf("session %s has no decision", session)
}

// Records tells whether a session is recorded now.
func (f *Field) Records(session string) (bool, error) {
	all, err := f.Agent.Sessions()
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if s.Session == session {
			return s.Recording, nil
		}
	}
	return false, nil
}

// Note reports a note and tells whether it was recorded.
func (f *Field) Note(session string) (bool, error) {
	_, id, _ := strings.Cut(session, "/")
	res, err := f.Agent.CLI("session", "event", "--id", id, "--kind", "note", "--text", "a note", "--json")
	if err != nil {
		return false, err
	}
	var answer struct{ Recorded bool }
	if res.Code != 0 {
		return false, nil
	}
	err = json.Unmarshal([]byte(res.Stdout), &answer)
	return answer.Recorded, err
}

// NotCounted is how many answers have reached the service and were not counted,
// by what the service has written.
func (f *Field) NotCounted() int {
	raw, err := os.ReadFile(f.Agent.Log)
	if err != nil {
		return 0
	}
	return strings.Count(string(raw), "a yes that does not count")
}
