package watch

import (
	"fmt"
	"strings"
	"time"
)

// ToolGNOME is the name of sessions of GNOME Remote Desktop.
const ToolGNOME = "gnome-remote-desktop"

var gnomeFacts = facts{hears: []string{"begin", "end", "account shown"}, missing: "who connects, and the end of one connection among several"}

// gnomeComm is its program, as the kernel shortens it (proc(5), comm).
const gnomeComm = "gnome-remote-de"

// Lines of its daemon in the journal, with the sources in GNOME/gnome-remote-desktop:
// gnomeIn is written when the client has said what pictures it takes, which is
// after its login (src/grd-rdp-graphics-pipeline.c, rdpgfx_caps_advertise); a
// client may say it again. gnomeOut is written when a connection ends, also one that never logged
// in (src/grd-session-rdp.c). Neither says whose it is. The signals on the bus do
// not help: NewConnection comes before the login, and none tells of an end.
const (
	gnomeIn  = "[RDP.RDPGFX] CapsAdvertise: Accepting capability set with version "
	gnomeOut = "[RDP] Network or intentional disconnect, stopping session"
)

// gnome reads the journal of GNOME Remote Desktop's daemons. Each serves the
// desktop of the user it runs as.
type gnome struct {
	sink Sink
	open []gnomeSession // oldest first
}

type gnomeSession struct {
	owner uint32
	pid   int
	id    string
}

// message takes one line of the daemon with this process number and user. Several
// connections to one daemon are one session; the first that ends, ends it, since
// none can be said to go on.
func (g *gnome) message(owner uint32, pid int, text string, at time.Time) {
	switch {
	case strings.HasPrefix(text, gnomeIn):
		for _, s := range g.open {
			if s.owner == owner && s.pid == pid {
				return
			}
		}
		if len(g.open) >= maxOpen {
			g.end(0)
		}
		s := gnomeSession{owner, pid, fmt.Sprintf("%d-%d", pid, at.UnixMicro())}
		g.open = append(g.open, s)
		owned{g.sink, owner}.Begin(Found{Tool: ToolGNOME, ID: s.id, Leader: pid, StartedAt: at})
	case text == gnomeOut:
		for i, s := range g.open {
			if s.owner == owner && s.pid == pid {
				g.end(i)
				return
			}
		}
	}
}

func (g *gnome) end(i int) {
	s := g.open[i]
	g.open = append(g.open[:i:i], g.open[i+1:]...)
	owned{g.sink, s.owner}.End(ToolGNOME, s.id, Left)
}
