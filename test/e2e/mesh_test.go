//go:build e2e

package e2e

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"aval/test/rig"
)

// mesh starts the real MeshCentral with an agent that shows d.
func (w *world) mesh(d *desk, users ...string) *rig.Mesh {
	w.t.Helper()
	m, err := w.StartMesh(d.Display, users...)
	if errors.Is(err, rig.ErrUnreachable) {
		w.t.Skip(err)
	}
	w.must(err)
	return m
}

// view connects through MeshCentral.
func (w *world) view(m *rig.Mesh, user string, kind int) *rig.MeshViewer {
	w.t.Helper()
	v, err := m.View(user, kind)
	w.must(err)
	w.t.Cleanup(func() { v.Leave() })
	return v
}

// kinds waits until a session has these.
func (w *world) kinds(session string, want ...string) {
	w.t.Helper()
	w.must(w.Wait(session+" with "+strings.Join(want, ", "), 20*time.Second, func() (bool, error) {
		all, err := w.agent.Sessions()
		i := slices.IndexFunc(all, func(s rig.Session) bool { return s.Session == session })
		return i >= 0 && slices.Equal(all[i].Kinds, want), err
	}))
}

// The real MeshCentral: server, agent, and two users who connect as a browser
// does. The desktop's session is asked about on the display that the agent shows,
// recorded, joined by the files of the same user, ended and summarised; another
// user who is refused keeps working, and nothing is recorded; a terminal is a
// session of its own, with its commands; the end of the agent ends what it had,
// and the same agent started again is heard again.
//
// Planted once and caught here: the desktop that is shown not looked for; the
// files asked about once more; a terminal without its program.
func TestMeshCentral(t *testing.T) {
	w := newWorld(t, "")
	d, other := w.desktop("shown", rig.WithGL), w.desktop("other", rig.WithGL)
	m := w.mesh(d, "ana", "rui")
	w.following("meshcentral")

	desktop := w.view(m, "ana", rig.MeshDesktop)
	w.must(w.question(d).Answer(true))
	yes := w.live("meshcentral", d.Name)
	if !slices.Equal(yes.Kinds, []string{"view", "control"}) || yes.Supporter != "ana" || yes.Outcome != "allowed" {
		t.Errorf("the desktop: %+v", yes)
	}
	w.recording(yes.Session, true, 20*time.Second)
	w.must(w.Wait("a picture of the desktop", 30*time.Second, func() (bool, error) { return desktop.Received() > 10_000, nil }))
	w.show(d, "CANARY-MESH-DESKTOP")
	w.show(other, "CANARY-MESH-OTHER-DESKTOP")
	w.until(yes.Session, "CANARY-MESH-DESKTOP")
	files := w.view(m, "ana", rig.MeshFiles)
	w.kinds(yes.Session, "view", "control", "files")
	w.must(files.Leave())
	w.kinds(yes.Session, "view", "control")
	w.must(desktop.Leave())
	w.gone(yes.Session)
	if got := texts(w.arrived(yes.Session)); !strings.Contains(got, "CANARY-MESH-DESKTOP") {
		t.Errorf("the session lacks what was shown:\n%s", got)
	}

	refused := w.view(m, "rui", rig.MeshDesktop)
	w.must(w.question(d).Answer(false))
	no := w.live("meshcentral", d.Name)
	if no.Supporter != "rui" || no.Outcome != "refused" || no.Recording {
		t.Errorf("refused: %+v", no)
	}
	before := refused.Received()
	w.show(d, "CANARY-MESH-REFUSED")
	w.must(w.Wait("more pictures for who was refused", 30*time.Second, func() (bool, error) { return refused.Received() > before, nil }))
	w.must(refused.Leave())
	w.gone(no.Session)

	// The account is this one: both desktops are its, and both are asked.
	terminal := w.view(m, "ana", rig.MeshTerminal)
	w.must(w.question(d).Answer(true))
	w.must(w.question(other).Answer(true))
	shell := w.decided(20 * time.Second)
	w.recording(shell.Session, true, 20*time.Second)
	w.kinds(shell.Session, "terminal")
	w.must(terminal.Type("printf CANARY-MESH-%s COMMAND >mesh-canary.txt; tail -f mesh-canary.txt\n"))
	w.must(w.Wait("the terminal's answer", 20*time.Second, func() (bool, error) { return strings.Contains(terminal.Said(), "CANARY-MESH-COMMAND"), nil }))
	w.until(shell.Session, "mesh-canary.txt")
	w.show(d, "CANARY-MESH-NOT-OF-THE-TERMINAL")

	// The agent ends, as an update ends it.
	m.KillAgent()
	w.gone(shell.Session)
	if got := texts(w.arrived(shell.Session)); !strings.Contains(got, "mesh-canary.txt") || strings.Contains(got, "NOT-OF-THE-TERMINAL") {
		t.Errorf("the terminal's session:\n%s", got)
	}
	w.must(m.StartAgent(d.Display))
	last := w.view(m, "ana", rig.MeshDesktop)
	w.must(w.question(d).Answer(false))
	w.must(last.Leave())

	rows, err := w.agent.Consents()
	w.must(err)
	rows = slices.DeleteFunc(rows, func(r rig.Consent) bool { return r.Tool != "meshcentral" })
	if len(rows) != 4 {
		t.Errorf("%d decisions for four sessions: %+v", len(rows), rows)
	}
	w.nowhere("CANARY-MESH-REFUSED", "CANARY-MESH-OTHER-DESKTOP", "CANARY-MESH-NOT-OF-THE-TERMINAL")
}
