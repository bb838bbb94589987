package indicator

import (
	"image"
	"testing"
	"time"

	"aval/agent/ipc"
	"aval/agent/x11/xtest"
	"aval/assets"
)

// A bar that was pushed over an edge is back after 30 s, not under the pointer.
// Planted bug: leave out the last case of comeBack.
func TestBack(t *testing.T) {
	x := xtest.Start(t, xtest.Options{})
	s, err := openScreen(x.Display)
	if err != nil {
		t.Fatal(err)
	}
	defer s.x.Close()
	b := &board{s: s, o: Options{Catalog: assets.For("en")}, own: assets.For("en"), cat: assets.For("en"), visible: make(chan State, 1)}
	b.show(ipc.Indicator{Revision: 1, Sessions: []ipc.IndicatorSession{{Session: "x/1", Supporter: "Ana Souza", Since: noon}}}, noon)
	b.redraw(noon)
	monitors, _ := s.monitors()
	over := dragged(monitors[0], b.f.size, image.Pt(-5000, 300))
	b.move(over)
	x.Run(t, "xdotool", "mousemove", "400", "320") // where it would come back to
	b.comeBack(monitors, noon)
	b.comeBack(monitors, noon.Add(backAfter-time.Millisecond))
	if b.at != over {
		t.Fatalf("back too early: %v", b.at)
	}
	b.comeBack(monitors, noon.Add(backAfter))
	if p := shownPart(monitors, b.rect()); p < 0.999 {
		t.Errorf("%.2f of it is on the screen at %v", p, b.at)
	}
	if s.pointer().In(b.rect()) {
		t.Errorf("under the pointer: %v", b.rect())
	}
}
