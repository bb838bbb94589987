package indicator

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"aval/agent/ipc"
	"aval/assets"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ops(rows []row) (out []string) {
	for _, r := range rows {
		for _, b := range r.buttons {
			out = append(out, b.op)
		}
	}
	return out
}

// What each state offers; a button that would do nothing is not there.
func TestRows(t *testing.T) {
	for _, c := range []struct {
		name string
		s    ipc.IndicatorSession
		t    touched
		key  string
		ops  []string
	}{
		{"recording", ipc.IndicatorSession{}, touched{}, "indicator.recording", []string{"pause", "stop", opMenu}},
		{"menu", ipc.IndicatorSession{}, touched{menu: true}, "indicator.recording", []string{"pause", "stop", opMenu, opView, opAskDelete}},
		{"asking", ipc.IndicatorSession{}, touched{askUntil: noon.Add(1)}, "indicator.ask.stop", []string{"stop-and-delete", opBack}},
		{"asked too late", ipc.IndicatorSession{}, touched{askUntil: noon}, "indicator.recording", []string{"pause", "stop", opMenu}},
		{"paused", ipc.IndicatorSession{Paused: true}, touched{}, "indicator.paused", []string{"resume", "stop", opMenu}},
		{"enforced", ipc.IndicatorSession{Enforced: true}, touched{}, "indicator.recording", []string{"object", opMenu}},
		{"enforced menu", ipc.IndicatorSession{Enforced: true}, touched{menu: true, askUntil: noon.Add(1)}, "indicator.recording", []string{"object", opMenu, opView}},
		{"objected", ipc.IndicatorSession{Enforced: true}, touched{objected: true}, "indicator.objected", []string{opMenu}},
		{"ended", ipc.IndicatorSession{Ended: true, Items: 2}, touched{}, "indicator.ended", []string{opView, opAskDelete}},
		{"ended, not sent", ipc.IndicatorSession{Ended: true, Items: 2, Waiting: true}, touched{}, "indicator.ended.waiting", []string{opView, opAskDelete}},
		{"ended empty", ipc.IndicatorSession{Ended: true}, touched{}, "indicator.ended.nothing", nil},
		{"ended enforced", ipc.IndicatorSession{Ended: true, Items: 2, Enforced: true}, touched{}, "indicator.ended", []string{opView}},
		{"ended deleted", ipc.IndicatorSession{Ended: true, Items: 2, Erased: true}, touched{askUntil: noon.Add(1)}, "indicator.ended.erased", nil},
		{"disk full", ipc.IndicatorSession{Held: "disk-full"}, touched{}, "indicator.held.disk-full", []string{"pause", "stop", opMenu}},
		{"held, by a newer service", ipc.IndicatorSession{Held: "something"}, touched{}, "indicator.held", []string{"pause", "stop", opMenu}},
		{"disk full, enforced", ipc.IndicatorSession{Held: "disk-full", Enforced: true}, touched{}, "indicator.held.disk-full", []string{"object", opMenu}},
		{"disk full while paused", ipc.IndicatorSession{Held: "disk-full", Paused: true}, touched{}, "indicator.paused", []string{"resume", "stop", opMenu}},
		{"ended asking", ipc.IndicatorSession{Ended: true, Items: 2}, touched{askUntil: noon.Add(1)}, "indicator.ask.ended", []string{"stop-and-delete", opBack}},
		{"failed", ipc.IndicatorSession{}, touched{failed: noon.Add(1)}, "indicator.failed", []string{"pause", "stop", opMenu}},
		{"resumed by no hand", ipc.IndicatorSession{Paused: true}, touched{failed: noon.Add(1), hand: true}, "indicator.remote", []string{"resume", "stop", opMenu}},
	} {
		b := bar{touched: map[string]*touched{"": &c.t}}
		rows := b.row(c.s, assets.For("en"), noon)
		if rows[0].key != c.key || !slices.Equal(ops(rows), c.ops) {
			t.Errorf("%s: %s %q", c.name, rows[0].key, ops(rows))
		}
	}
}

// One press, whatever it hits, never deletes: that takes a second question.
func TestDeletingTakesTwoPresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := ipc.IndicatorSession{Session: "a", Paused: rapid.Bool().Draw(t, "paused"), Ended: rapid.Bool().Draw(t, "ended"), Items: 3}
		var b bar
		b.show(ipc.Indicator{Sessions: []ipc.IndicatorSession{s}}, noon)
		asked := false
		for i := range rapid.IntRange(1, 12).Draw(t, "presses") {
			var all []button
			for _, r := range b.rows(assets.For("en"), noon) {
				for _, p := range r.buttons {
					if !p.idle {
						all = append(all, p)
					}
				}
			}
			if len(all) == 0 {
				return
			}
			p := rapid.SampledFrom(all).Draw(t, "press")
			c, chosen := b.press(p, noon.Add(time.Duration(i)))
			if chosen && c.Action == "stop-and-delete" && !asked {
				t.Fatal("deleted without the second question")
			}
			asked = p.op == opAskDelete
			if chosen {
				b.report(c, errors.New("no"), noon)
			}
		}
	})
}

// A second question that is open when the ended row goes stays until it is answered.
func TestKeptQuestion(t *testing.T) {
	var b bar
	s := ipc.IndicatorSession{Session: "a", Ended: true, Items: 3}
	b.show(ipc.Indicator{Sessions: []ipc.IndicatorSession{s}}, noon)
	b.press(button{session: "a", op: opAskDelete}, noon)
	b.show(ipc.Indicator{}, noon.Add(time.Second))
	if got := ops(b.rows(assets.For("en"), noon.Add(time.Second))); !slices.Equal(got, []string{"stop-and-delete", opBack}) {
		t.Fatalf("%q", got)
	}
	b.tick(noon.Add(askFor))
	if got := b.rows(assets.For("en"), noon.Add(askFor)); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Hour: "00:00", 192 * time.Second: "03:12", 4001 * time.Second: "1:06:41"} {
		if got := elapsed(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

// The bar appears on the monitor and not under the pointer, wherever that is.
func TestPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := image.Rect(0, 0, rapid.IntRange(800, 5000).Draw(t, "w"), rapid.IntRange(500, 3000).Draw(t, "h")).
			Add(image.Pt(rapid.IntRange(0, 4000).Draw(t, "x"), rapid.IntRange(0, 2000).Draw(t, "y")))
		size := image.Pt(rapid.IntRange(300, 760).Draw(t, "bw"), rapid.IntRange(40, 150).Draw(t, "bh"))
		pointer := m.Min.Add(image.Pt(rapid.IntRange(0, m.Dx()-1).Draw(t, "px"), rapid.IntRange(0, m.Dy()-1).Draw(t, "py")))
		r := image.Rectangle{Max: size}.Add(place(m, size, pointer, near))
		if !r.In(m) || pointer.In(r) {
			t.Fatalf("%v on %v, pointer %v", r, m, pointer)
		}
	})
}

// However it is dragged, more than half of it stays on the screen.
func TestDragged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := image.Rect(0, 0, 1280, 800)
		size := image.Pt(rapid.IntRange(300, 760).Draw(t, "bw"), 46)
		at := image.Pt(rapid.IntRange(-9000, 9000).Draw(t, "x"), rapid.IntRange(-9000, 9000).Draw(t, "y"))
		r := image.Rectangle{Max: size}.Add(dragged(m, size, at))
		if p := shownPart([]image.Rectangle{m}, r); p < 0.58 {
			t.Fatalf("%v shows %.2f", r, p)
		}
	})
}

func TestParts(t *testing.T) {
	r := image.Rect(0, 0, 400, 40)
	for _, c := range []struct {
		above []image.Rectangle
		want  float64
	}{
		{nil, 0}, {[]image.Rectangle{image.Rect(-5, -5, 500, 500)}, 1},
		{[]image.Rectangle{image.Rect(0, 0, 200, 40)}, 0.5},
		{[]image.Rectangle{image.Rect(0, 0, 200, 40), image.Rect(100, 0, 200, 40)}, 0.5}, // counted once
		{[]image.Rectangle{image.Rect(0, 50, 400, 90)}, 0},
	} {
		if got := coveredPart(r, c.above); math.Abs(got-c.want) > 0.02 {
			t.Errorf("%v: %.2f", c.above, got)
		}
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		dpi    float64
		px, mm int
		want   float64
	}{
		{96, 3840, 300, 1}, {192, 0, 0, 2}, {120, 0, 0, 1.25}, {0, 1920, 508, 1}, {0, 3840, 310, 2},
		{0, 1280, 0, 1}, {0, 1280, 1, 1}, {10, 0, 0, 1}, {999, 0, 0, 4},
	} {
		if got := scaleFor(c.dpi, c.px, c.mm); got != c.want {
			t.Errorf("%v: %v", c, got)
		}
	}
}

// Every text that is drawn has a contrast of 4.5:1 (WCAG 2.2, 1.4.3) on what it
// is drawn on, and the marks 3:1.
func TestContrast(t *testing.T) {
	for name, c := range map[string]struct {
		ink, ground color.NRGBA
		least       float64
	}{
		"text": {palette.Text, palette.Surface, 4.5}, "button": {palette.Text, palette.Control, 4.5},
		"hover": {palette.Text, palette.Hover, 4.5}, "pressed": {palette.Text, palette.Pressed, 4.5},
		"idle": {palette.Muted, palette.Idle, 4.5}, "danger": {white, dangerous, 4.5}, "danger hot": {white, dangerHot, 4.5},
		"recording": {recording, palette.Surface, 3}, "paused": {paused, palette.Surface, 3}, "edge": {palette.Edge, palette.Surface, 3},
	} {
		if got := contrast(c.ink, c.ground); got < c.least {
			t.Errorf("%s: %.2f:1", name, got)
		}
	}
}

func contrast(a, b color.NRGBA) float64 {
	light := func(c color.NRGBA) float64 {
		lin := func(v uint8) float64 {
			if f := float64(v) / 255; f > 0.04045 {
				return math.Pow((f+0.055)/1.055, 2.4)
			}
			return float64(v) / 255 / 12.92
		}
		return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
	}
	x, y := light(a), light(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestScripts: what the own font has no glyphs for is drawn with a font of the
// system, in the row of a Latin name too; what no font has, or would be misread
// without shaping, is a mark. Planted bug: nothing in learn.
func TestScripts(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		if hidden {
			conf := filepath.Join(t.TempDir(), "conf")
			text := fmt.Sprintf(`<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>`, t.TempDir(), t.TempDir())
			if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Setenv("FONTCONFIG_FILE", conf)
		}
		p, err := newPen(1, "ja")
		if err != nil {
			t.Fatal(err)
		}
		// A script that no other test of this process looks for, where it is hidden.
		name, want := "Łukasz 淵圭", "Łukasz 淵圭"
		if hidden {
			name, want = "Łukasz 한국", "Łukasz □□"
		}
		if got := p.drawable(name); got != want {
			t.Errorf("hidden %v: %q", hidden, got)
		}
		if got := p.drawable("مرحبا"); strings.Trim(got, "□") != "" {
			t.Errorf("drawn without shaping: %q", got)
		}
		if a, b := p.steady(want), p.steady("Łukasz "); !hidden && a-b < 2*10 {
			t.Errorf("two characters take %d pixels", a-b)
		}
	}
}

// A bar is never wider than its screen, and its buttons are 36 px high at least.
func TestMeasure(t *testing.T) {
	p, err := newPen(1, "pt-BR")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := ipc.IndicatorSession{Session: "a", Supporter: rapid.String().Draw(t, "who"), Since: noon, Paused: rapid.Bool().Draw(t, "paused")}
		var b bar
		b.show(ipc.Indicator{Sessions: []ipc.IndicatorSession{s}}, noon)
		limit := rapid.IntRange(560, 4000).Draw(t, "limit")
		f := p.measure(b.rows(assets.For("pt-BR"), noon), assets.For("pt-BR"), limit)
		if f.size.X > limit || f.size.Y <= 0 {
			t.Fatalf("%v in %d", f.size, limit)
		}
		for _, h := range f.hits() {
			if h.rect.Dy() < 36 || h.rect.Dx() < 36 || !h.rect.In(image.Rectangle{Max: f.size}) {
				t.Fatalf("button %v in %v", h.rect, f.size)
			}
		}
	})
}
