package evidence

import (
	"bytes"
	"errors"
	"flag"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"aval/agent/x11"
	"aval/agent/x11/xtest"
)

var update = flag.Bool("update", false, "capture testdata/xvfb.bin anew from an X server")

const captured = "testdata/xvfb.bin"

// dial opens a conversation whose stream from the server is copied to tee.
func dial(t *testing.T, display string, tee io.Writer) *machine {
	t.Helper()
	conn, screen, err := x11.Socket(display)
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(conn, screen, Options{}, "/")
	ended := make(chan struct{})
	go func() { defer close(ended); m.run(io.TeeReader(conn, tee)) }()
	t.Cleanup(func() { conn.Close(); <-ended })
	select {
	case <-m.ready:
	case <-m.done:
		t.Fatal(m.failure())
	}
	return m
}

// addMaster makes a pair of master devices (XIChangeHierarchy, 43), and waits
// until the server has done so.
func addMaster(t *testing.T, display, name string) {
	t.Helper()
	m := dial(t, display, io.Discard)
	body := append(words(1, 0), words(1, uint16((8+pad4(len(name)))/4), uint16(len(name)), 0x0101)...)
	m.mu.Lock()
	err := m.tell(request(m.major, 43, append(body, name...)...))
	m.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	xtest.Wait(t, "the new devices", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.err != nil {
			t.Fatal(m.err)
		}
		for _, d := range m.table {
			if d.name == name+" pointer" {
				return m.known
			}
		}
		return false
	})
}

// count is how many presses m has heard.
func (m *machine) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.presses)
}

// TestCapture shows that a stream of a real server is read to its end, and with
// -update keeps it: the start, a click and a key through XTEST, and a change of
// the devices.
func TestCapture(t *testing.T) {
	s := xtest.Start(t, xtest.Options{Screen: "320x200"})
	var stream bytes.Buffer // written by the reader; read when it has ended
	t.Run("talk", func(t *testing.T) {
		m := dial(t, s.Display, &stream)
		s.Run(t, "xdotool", "mousemove", "100", "100", "click", "1")
		xtest.Wait(t, "the click", func() bool { return m.count() == 1 })
		addMaster(t, s.Display, "more")
		xtest.Wait(t, "the table", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.known && len(m.table) > 6
		})
		s.Run(t, "xdotool", "key", "space")
		xtest.Wait(t, "the key", func() bool { return m.count() == 2 })
	})
	if *update {
		if err := os.WriteFile(captured, stream.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if m := replay(stream.Bytes()); m.heard != 2 {
		t.Errorf("%d presses the second time: %v", m.heard, m.err)
	}
}

// replayed is a machine at the end of a stream.
type replayed struct {
	*machine
	heard   int
	trusted int
}

// replay gives a machine a stream, where the kernel knows no device; it stops
// to count just before the end.
func replay(stream []byte) replayed {
	m := newMachine(io.Discard, 0, Options{}, "testdata")
	out := replayed{machine: m}
	m.run(io.MultiReader(bytes.NewReader(stream), last(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		out.heard = len(m.presses)
		for _, p := range m.presses {
			if p.Trust.Counts() {
				out.trusted++
			}
		}
	})))
	return out
}

type last func()

func (f last) Read([]byte) (int, error) { f(); return 0, io.EOF }

func capture(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile(captured)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestReplay(t *testing.T) {
	stream := capture(t)
	m := replay(stream)
	if m.heard != 2 || m.trusted != 0 || !errors.Is(m.failure(), io.EOF) {
		t.Fatalf("%d presses, %d trusted, %v", m.heard, m.trusted, m.failure())
	}
	if p, ok := m.take(time.Time{}, image.Rect(0, 0, 1000, 1000), true); ok || p != (Press{}) {
		t.Errorf("after the end: %+v", p)
	}
	// Torn anywhere: an end, and nothing else.
	for n := 0; n < len(stream); n += 7 {
		if m := replay(stream[:n]); m.failure() == nil || m.trusted != 0 {
			t.Fatalf("torn at %d: %v", n, m.failure())
		}
	}
}

// FuzzStream: whatever a server says, there is an end with a reason, no
// panic, and no trust, since no device of this stream is hardware.
func FuzzStream(f *testing.F) {
	stream := capture(f)
	f.Add(stream)
	f.Add(stream[:len(stream)/2])
	f.Add([]byte{0, 4, 11, 0, 0, 0, 1, 0, 'n', 'o', 'n', 'e'})
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := replay(stream)
		if m.failure() == nil || m.trusted != 0 {
			t.Errorf("%d presses are trusted at the end: %v", m.trusted, m.failure())
		}
		if p, ok := m.take(time.Time{}, image.Rect(-1<<15, -1<<15, 1<<15, 1<<15), true); ok || p != (Press{}) {
			t.Errorf("evidence after the end: %+v", p)
		}
	})
}

// FuzzParse: every parser by itself, so that it is reached without a
// conversation that fits.
func FuzzParse(f *testing.F) {
	for stream := bytes.NewReader(capture(f)); ; {
		if stream.Size() == int64(stream.Len()) {
			if _, _, err := readSetup(stream, 0); err != nil {
				f.Fatal(err)
			}
		}
		msg, err := readMessage(stream)
		if err != nil {
			break
		}
		f.Add(msg)
	}
	f.Add(motion(9, 10, 10))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if devices, err := parseDevices(msg); err == nil && 12*len(devices) > len(msg) {
			t.Errorf("%d devices in %d bytes", len(devices), len(msg))
		}
		if value, _, err := parseProperty(msg); err == nil && len(value) > 4*maxValue {
			t.Errorf("a value of %d bytes", len(value))
		}
		parsePointer(msg)
		parseRaw(msg)
		readSetup(bytes.NewReader(msg), 1)
		if m, err := readMessage(bytes.NewReader(msg)); err == nil && (len(m) < 32 || len(m) > len(msg)) {
			t.Errorf("a message of %d bytes out of %d", len(m), len(msg))
		}
	})
}

// standing is a machine whose table has one hardware mouse, 9, on the pointer 2
// at 10,10.
func standing() *machine {
	m := newMachine(io.Discard, 0, Options{}, "/")
	m.major, m.known = 131, true
	m.table = map[uint16]device{2: {info: info{id: 2, use: useMasterPointer}}, 9: {info: info{id: 9, name: "mouse"}, trust: Hardware}}
	m.places = map[uint16]*place{2: {at: image.Pt(10, 10), known: true}}
	return m
}

// say hands m a message of the server, as run does.
func (m *machine) say(msg []byte) {
	m.mu.Lock()
	err := m.handle(msg)
	m.mu.Unlock()
	if err != nil {
		m.fail(err)
	}
}

func rawPress(kind, source uint16) []byte {
	b := make([]byte, 32)
	b[0], b[1] = msgGenericEvent, 131
	le.PutUint16(b[8:], kind)
	le.PutUint16(b[10:], 2)
	le.PutUint32(b[12:], 1000)
	le.PutUint32(b[16:], 1)
	le.PutUint16(b[20:], source)
	return b
}

func pointerAt(seq uint16, at image.Point) []byte {
	b := make([]byte, 56)
	b[0] = msgReply
	le.PutUint16(b[2:], seq)
	le.PutUint32(b[16:], uint32(at.X)<<16)
	le.PutUint32(b[20:], uint32(at.Y)<<16)
	return b
}

// FuzzEvents: whatever follows on a table that stands, only presses of the one
// hardware device count, and at most as many as were said.
func FuzzEvents(f *testing.F) {
	press, moved, change := rawPress(evRawButtonPress, 9), rawPress(evRawMotion, 9), rawPress(evHierarchyChanged, 0)
	here := image.Pt(10, 10)
	devices := make([]byte, 32)
	devices[0], devices[2] = msgReply, 1
	f.Add(slices.Concat(press, pointerAt(1, here), moved, pointerAt(2, here), rawPress(evRawKeyPress, 9)))
	f.Add(slices.Concat(change, devices, press, pointerAt(2, here)))
	f.Add(slices.Concat(motion(9, 10, 10), pointerAt(1, here), motion(9, 10, 11), press, pointerAt(2, here), pointerAt(3, here)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := standing()
		said := 0
		for in := bytes.NewReader(stream); m.failure() == nil; {
			msg, err := readMessage(in)
			if err != nil {
				break
			}
			if msg[0] == msgGenericEvent {
				said++
			}
			m.say(msg)
		}
		for {
			p, ok := m.take(time.Time{}, around(here), true)
			if p.Source == 0 {
				break
			}
			if said--; said < 0 || ok && (p.Source != 9 || !p.Before.In(around(here)) || p.Trust != Hardware) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// TestDoubt: what is not exactly as it must be is no evidence. Leave out any of
// the checks of handle, event or pressed, and a line fails.
func TestDoubt(t *testing.T) {
	here, there := image.Pt(10, 10), image.Pt(500, 500)
	forged := rawPress(evRawButtonPress, 9)
	forged[0] |= msgSent
	foreign := rawPress(evRawButtonPress, 9)
	foreign[1] = 140
	for name, c := range map[string]struct {
		say  [][]byte
		at   image.Point
		ok   bool
		dead bool
	}{
		"a press":                         {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, here)}, here, true, false},
		"its place is not known yet":      {[][]byte{rawPress(evRawButtonPress, 9)}, here, false, false},
		"the pointer moved after it":      {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, there)}, there, false, false},
		"moved, and asked for the first":  {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, there)}, here, false, false},
		"an unknown device":               {[][]byte{rawPress(evRawButtonPress, 10), pointerAt(1, here)}, here, false, false},
		"while the devices change":        {[][]byte{rawPress(evHierarchyChanged, 0), rawPress(evRawButtonPress, 9), pointerAt(1, here)}, here, false, true},
		"an answer to nothing":            {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, here), pointerAt(2, here)}, here, false, true},
		"an answer out of order":          {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(7, here)}, here, false, true},
		"a short answer":                  {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, here)[:40]}, here, false, true},
		"the last motion was a hand's":    {[][]byte{rawPress(evRawMotion, 9), pointerAt(1, here), rawPress(evRawButtonPress, 9), pointerAt(2, here)}, here, true, false},
		"where it moved to is not told":   {[][]byte{rawPress(evRawMotion, 9), rawPress(evRawButtonPress, 9), pointerAt(1, here), pointerAt(2, here)}, here, false, false},
		"a program moved it there before": {[][]byte{rawPress(evRawMotion, 10), pointerAt(1, here), rawPress(evRawButtonPress, 9), pointerAt(2, here)}, here, false, false},
		"a forged event":                  {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, here), forged}, here, false, true},
		"an event of another extension":   {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, here), foreign}, here, false, true},
		"an event that was not asked for": {[][]byte{rawPress(evRawButtonPress, 9), pointerAt(1, here), rawPress(4, 9)}, here, false, true},
	} {
		m := standing()
		for _, msg := range c.say {
			m.say(msg)
		}
		_, ok := m.take(time.Now().Add(-time.Minute), around(c.at), true)
		if ok != c.ok || (m.failure() != nil) != c.dead {
			t.Errorf("%s: %v, %v", name, ok, m.failure())
		}
	}
	// A pointer whose place before the press was never told.
	unplaced := standing()
	unplaced.places[2].known = false
	unplaced.say(rawPress(evRawButtonPress, 9))
	unplaced.say(pointerAt(1, here))
	if p, ok := unplaced.take(time.Time{}, around(here), true); ok || p.Source != 9 {
		t.Errorf("%+v %v", p, ok)
	}
	// A wheel, a key that no button takes, and a key that is held down.
	for _, c := range []struct{ kind, detail, flags uint32 }{
		{evRawButtonPress, 4, 0}, {evRawButtonPress, 0, 0}, {evRawKeyPress, 38, 0}, {evRawKeyPress, 65, flagKeyRepeat},
	} {
		m := standing()
		m.table[3] = device{info: info{id: 3, use: useMasterKeyboard, attachment: 2}}
		for _, as := range []struct{ detail, flags uint32 }{{c.detail, c.flags}, {map[bool]uint32{true: 1, false: 65}[c.kind == evRawButtonPress], 0}} {
			msg := rawPress(uint16(c.kind), 9)
			if c.kind == evRawKeyPress {
				le.PutUint16(msg[10:], 3)
			}
			le.PutUint32(msg[16:], as.detail)
			le.PutUint32(msg[24:], as.flags)
			m.say(msg)
		}
		m.say(pointerAt(1, here))
		if n := m.count(); n != 1 || len(m.asked) != 0 || m.failure() != nil {
			t.Errorf("%+v: %d presses and not one, %d asked for, %v", c, n, len(m.asked), m.failure())
		}
	}
	// A change of the devices by itself: not known until the table is read.
	m := standing()
	m.say(rawPress(evHierarchyChanged, 0))
	m.say(rawPress(evRawButtonPress, 9))
	devices := make([]byte, 32)
	devices[0], devices[2] = msgReply, 1
	m.say(devices)
	m.say(pointerAt(2, here))
	if p, ok := m.take(time.Time{}, around(here), true); ok || p.Source != 9 || m.failure() != nil {
		t.Errorf("%+v %v %v", p, ok, m.failure())
	}
}

// TestLed: a key counts as led only when a hand pressed Tab and nothing that
// could have put the focus elsewhere came in between. Leave out either call of
// doubt, or the forgetting at another key, and a line fails.
func TestLed(t *testing.T) {
	const letter, space = 38, 65
	key := func(detail uint32, source uint16) []byte {
		msg := rawPress(evRawKeyPress, source)
		le.PutUint16(msg[10:], 3)
		le.PutUint32(msg[16:], detail)
		return msg
	}
	const hand, program = 9, 10
	for name, c := range map[string]struct {
		before [][]byte
		led    bool
	}{
		"nothing":                     {nil, false},
		"tab":                         {[][]byte{key(tab, hand)}, true},
		"shift and tab":               {[][]byte{key(shiftLeft, hand), key(tab, hand)}, true},
		"tab by a program":            {[][]byte{key(tab, program)}, false},
		"and then one by hand":        {[][]byte{key(tab, program), key(tab, hand)}, true},
		"tab, then one by a program":  {[][]byte{key(tab, hand), key(tab, program)}, false},
		"tab, then a letter":          {[][]byte{key(tab, hand), key(letter, hand)}, false},
		"tab, then a program's click": {[][]byte{key(tab, hand), rawPress(evRawButtonPress, program)}, false},
		"tab, then a program's space": {[][]byte{key(tab, hand), key(space, program)}, false},
	} {
		m := standing()
		m.table[3] = device{info: info{id: 3, use: useMasterKeyboard, attachment: 2}}
		m.table[program] = device{info: info{id: program, name: "XTEST"}, trust: Injected}
		for _, msg := range append(c.before, key(space, hand)) {
			m.say(msg)
		}
		for n := uint16(1); len(m.asked) > 0 && m.failure() == nil; n++ {
			m.say(pointerAt(n, image.Pt(10, 10)))
		}
		p, ok := m.take(time.Time{}, image.Rectangle{}, false)
		if !ok || p.Led.IsZero() == c.led {
			t.Errorf("%s: %+v %v, %v", name, p, ok, m.failure())
		}
	}
}

// writes is what a machine wrote.
type writes chan []byte

func (w writes) Write(b []byte) (int, error) { w <- slices.Clone(b); return len(b), nil }

// TestTakeWaits: a press whose event is still on its way when Take is called
// counts, and so does one whose place is not yet known then. Let Take ask the
// server once only, and it fails.
func TestTakeWaits(t *testing.T) {
	here := image.Pt(10, 10)
	m := standing()
	out := make(writes, 10)
	m.out = out
	go func() {
		focus := func(seq uint16) []byte {
			b := make([]byte, 32)
			b[0] = msgReply
			le.PutUint16(b[2:], seq)
			return b
		}
		<-out // Take asks
		m.say(rawPress(evRawButtonPress, 9))
		<-out // where the pointer is
		m.say(focus(1))
		<-out // Take asks again
		m.say(pointerAt(2, here))
		m.say(focus(3))
	}()
	l := &Listener{m: m, wait: 20 * time.Second}
	if p, ok := l.Take(time.Minute, around(here), true); !ok || p.Device != "mouse" {
		t.Errorf("%+v %v", p, m.failure())
	}
}

// TestJudge: leave out any check of judge or physical, and a line fails.
func TestJudge(t *testing.T) {
	root := t.TempDir()
	add := func(event, dir, name, bus string) {
		t.Helper()
		dir = filepath.Join(root, dir)
		class := filepath.Join(root, "sys/class/input", event)
		for _, d := range []string{filepath.Join(dir, "id"), class} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for file, text := range map[string]string{"name": name, "id/bustype": bus} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(dir, filepath.Join(class, "device")); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	add("event1", "sys/devices/pci0000:00/usb1/input/input1", "A Mouse", "0003")
	add("event2", "sys/devices/virtual/input/input2", "A Mouse", "0003")
	add("event3", "sys/devices/virtual/misc/uhid/0005:046D:B342.0001/input/input3", "A Mouse", "0005")
	add("event4", "sys/devices/virtual/misc/uhid/0003:046D:B342.0002/input/input4", "A Mouse", "0003")
	add("event5", "elsewhere/input5", "A Mouse", "0003")
	add("event6", "sys/devices/pci0000:00/usb1/input/input6", "", "0003")
	add("event7", "sys/devices/virtual/input/input7", "A Mouse", "0005")
	for _, c := range []struct {
		name, node string
		xtest      bool
		tests      []string
		want       Trust
	}{
		{"A Mouse", "/dev/input/event1", false, nil, Hardware},
		{"A Mouse", "/dev/input/event1", true, nil, Injected},
		{"A Mouse", "/dev/input/event2", false, nil, Unknown}, // uinput
		{"A Mouse", "/dev/input/event3", false, nil, Hardware},
		{"A Mouse", "/dev/input/event4", false, nil, Unknown},
		{"A Mouse", "/dev/input/event5", false, nil, Unknown},
		{"A Mouse", "/dev/input/event7", false, nil, Unknown},
		{"A Mouse", "/dev/input/event8", false, nil, Unknown},
		{"", "/dev/input/event6", false, nil, Unknown},
		{"A Mouse", "", false, nil, Unknown},
		{"A Mouse", "/dev/input/mice", false, nil, Unknown},
		{"A Mouse", "/dev/input/../input/event1", false, nil, Unknown},
		{"A Mouse", "/tmp/event1", false, nil, Unknown},
		{"Another", "/dev/input/event1", false, nil, Unknown}, // a client set the node
		{"Another", "", false, []string{"Another"}, Test},
		{"Another", "", true, []string{"Another"}, Injected},
		{"TigerVNC pointer", "/dev/input/event1", false, nil, Remote},
		{"xrdpMouse", "", false, nil, Remote},
		{"xrdpMouse", "", false, []string{"xrdpMouse"}, Test},
	} {
		if got := judge(c.name, c.node, c.xtest, c.tests, root); got != c.want {
			t.Errorf("%q %q: %v, not %v", c.name, c.node, got, c.want)
		}
		if got := judge(c.name, c.node, c.xtest, nil, root); c.tests == nil && got != c.want {
			t.Errorf("%q %q: %v without names", c.name, c.node, got)
		}
	}
}
