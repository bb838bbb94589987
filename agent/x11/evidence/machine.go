package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"sync"
	"time"
)

// keep is how many presses are remembered; far more than a hand makes while
// one of them is fresh.
const keep = 64

// machine is the conversation with one X server. What the server says is
// handled by run alone, in the order of the stream: a reply tells what was true
// between the events before it and those after it.
type machine struct {
	out    io.Writer
	screen int
	o      Options
	sys    string // where /sys is looked for

	ready chan struct{} // closed when the device table stands
	done  chan struct{} // closed with err

	mu      sync.Mutex // guards all below, and writing
	err     error
	seq     uint16
	asked   []question // in the order of their answers
	presses []Press
	led     time.Time // as Press.Led

	began time.Time // of our clock, for late
	timed bool
	least uint32 // milliseconds, of clocks that both come round after 2³² of them

	major     byte
	root      uint32
	size      image.Point // of the root window
	nodeAtom  uint32
	xtestAtom uint32

	known   bool // the table is as the server has it at this point of the stream
	reading bool
	again   bool // something changed while the table was read
	table   map[uint16]device
	places  map[uint16]*place // by master pointer
}

// question is a request whose answer is still to come. refused is true when the
// server answered with an error.
type question struct {
	seq    uint16
	answer func(msg []byte, refused bool) error
}

func newMachine(out io.Writer, screen int, o Options, sys string) *machine {
	if len(o.Keys) == 0 {
		o.Keys = evdevKeys
	}
	return &machine{
		out: out, screen: screen, o: o, sys: sys,
		ready: make(chan struct{}), done: make(chan struct{}),
		table: map[uint16]device{}, places: map[uint16]*place{}, began: time.Now(),
	}
}

// run talks until the connection ends or something is in doubt.
func (m *machine) run(in io.Reader) {
	m.fail(m.talk(in))
}

func (m *machine) talk(in io.Reader) error {
	if _, err := m.out.Write(setupRequest()); err != nil {
		return fmt.Errorf("write to the X server: %w", err)
	}
	root, size, err := readSetup(in, m.screen)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.root, m.size = root, size
	err = m.open()
	m.mu.Unlock()
	for err == nil {
		var msg []byte
		if msg, err = readMessage(in); err == nil {
			m.mu.Lock()
			if err = m.err; err == nil {
				err = m.handle(msg)
			}
			m.mu.Unlock()
		}
	}
	return err
}

// fail ends all evidence; the first reason stays.
func (m *machine) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
		m.presses = nil
		close(m.done)
	}
}

func (m *machine) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// ask sends a request that has an answer; tell sends one that has none.
func (m *machine) ask(b []byte, answer func(msg []byte, refused bool) error) error {
	if len(m.asked) >= 1<<14 { // far below where sequence numbers come round
		return errors.New("the X server does not answer")
	}
	if err := m.tell(b); err != nil {
		return err
	}
	m.asked = append(m.asked, question{m.seq, answer})
	return nil
}

func (m *machine) tell(b []byte) error {
	if d, ok := m.out.(interface{ SetWriteDeadline(time.Time) error }); ok {
		if err := d.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return fmt.Errorf("write to the X server: %w", err)
		}
	}
	if _, err := m.out.Write(b); err != nil {
		return fmt.Errorf("write to the X server: %w", err)
	}
	m.seq++
	return nil
}

// must is an answer that may not be refused.
func must(what string, f func(msg []byte) error) func([]byte, bool) error {
	return func(msg []byte, refused bool) error {
		if refused {
			return fmt.Errorf("%s: the X server refused", what)
		}
		return f(msg)
	}
}

// sync returns a channel that is closed when the server has answered.
func (m *machine) sync() (<-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	answered := make(chan struct{})
	return answered, m.ask(request(opGetInputFocus, 0), func([]byte, bool) error {
		close(answered)
		return nil
	})
}

// open asks for everything that is needed, and for the events before the table,
// so that no change is missed.
func (m *machine) open() error {
	atom := func(name string, to *uint32) error {
		return m.ask(named(opInternAtom, name), must("look up "+name, func(msg []byte) error {
			*to = le.Uint32(msg[8:])
			return nil
		}))
	}
	if err := errors.Join(atom("Device Node", &m.nodeAtom), atom("XTEST Device", &m.xtestAtom)); err != nil {
		return err
	}
	return m.ask(named(opQueryExtension, "XInputExtension"), must("look for XInput", func(msg []byte) error {
		if msg[8] == 0 {
			return errors.New("the X server has no XInput")
		}
		m.major = msg[9]
		return m.ask(request(m.major, xiQueryVersion, words(2, 2)...), must("ask for XInput 2.2", func(msg []byte) error {
			if major, minor := le.Uint16(msg[8:]), le.Uint16(msg[10:]); major != 2 || minor < 2 {
				return fmt.Errorf("the X server has XInput %d.%d, and 2.2 is needed", major, minor)
			}
			if err := m.tell(selectEvents(m.major, m.root)); err != nil {
				return err
			}
			return m.read()
		}))
	}))
}

// handle takes in one message.
func (m *machine) handle(msg []byte) error {
	switch msg[0] {
	case msgError, msgReply:
		if len(m.asked) == 0 || m.asked[0].seq != le.Uint16(msg[2:]) {
			return errors.New("the X server answered what was not asked")
		}
		q := m.asked[0]
		m.asked = m.asked[1:]
		return q.answer(msg, msg[0] == msgError)
	case msgGenericEvent:
		if m.major == 0 || msg[1] != m.major {
			return errors.New("the X server sent an event that was not asked for")
		}
		return m.event(msg)
	case msgGenericEvent | msgSent:
		return errors.New("another program sent a forged event") // xserver before 1.19.4 lets it
	}
	return nil // an event that every client gets, such as MappingNotify
}

func (m *machine) event(msg []byte) error {
	e, err := parseRaw(msg)
	if err != nil {
		return err
	}
	switch e.kind {
	case evHierarchyChanged:
		m.known = false
		return m.read()
	case evRawMotion:
		if p := m.places[e.master]; p != nil {
			p.step(e, m.table[e.source], m.trust(e).Counts(), m.size)
			m.late(e.time)
		}
		return m.moved(e.master)
	case evRawButtonPress:
		if e.detail < 1 || e.detail > 3 {
			return nil // a wheel
		}
		return m.pressed(e, Press{Button: e.detail}, e.master)
	case evRawKeyPress:
		switch {
		case e.flags&flagKeyRepeat != 0 || e.detail == shiftLeft || e.detail == shiftRight:
			return nil
		case e.detail == tab:
			m.led = time.Now()
			m.doubt(m.trust(e))
			return nil
		case !slices.Contains(m.o.Keys, e.detail):
			m.led = time.Time{}
			return nil
		}
		return m.pressed(e, Press{Key: e.detail}, m.table[e.master].attachment)
	}
	return errors.New("the X server sent an event that was not asked for")
}

// moved asks where a pointer is, one question at a time.
func (m *machine) moved(pointer uint16) error {
	p := m.places[pointer]
	if p == nil {
		return nil // not in the table: its presses do not count either
	}
	if p.asked {
		p.again = true
		return nil
	}
	p.asked, p.again = true, false
	return m.ask(queryPointer(m.major, m.root, pointer), func(msg []byte, refused bool) error {
		p.asked = false
		if refused {
			p.known = false
			return nil
		}
		at, err := parsePointer(msg)
		if err != nil {
			return err
		}
		p.tell(at, p.moved == 0 || m.late(p.moved) <= toldWithin)
		if p.again {
			return m.moved(pointer)
		}
		return nil
	})
}

// pressed remembers a press once the place of its pointer is known. Where the
// pointer was before is taken from what the server said before the press: a
// program that sees the press and moves the pointer then is too late for it.
func (m *machine) pressed(e raw, p Press, pointer uint16) error {
	p.At, p.Server, p.Source = time.Now(), e.time, e.source
	d := m.table[e.source] // Unknown when it is not there
	d.trust = m.trust(e)
	m.doubt(d.trust)
	was := m.places[pointer]
	if was == nil {
		return nil // no pointer, no place
	}
	if !was.known {
		d.trust = Unknown
	}
	if p.Key != 0 {
		p.Led = m.led
	}
	p.Device, p.Node, p.Trust, p.Before = d.name, d.node, d.trust, was.before()
	return m.ask(queryPointer(m.major, m.root, pointer), func(msg []byte, refused bool) error {
		if refused {
			return nil
		}
		at, err := parsePointer(msg)
		if err != nil {
			return err
		}
		p.Pointer = at
		m.remember(p)
		return nil
	})
}

// late is how long ago something happened at the server. How its clock and ours
// differ is taken from the event that was read soonest after it happened.
func (m *machine) late(server uint32) time.Duration {
	// The server's clock comes round after 49.7 days: only differences say anything.
	behind := uint32(time.Since(m.began).Milliseconds()) - server
	if !m.timed || int32(behind-m.least) < 0 {
		m.timed, m.least = true, behind
	}
	return time.Duration(behind-m.least) * time.Millisecond
}

// trust is what is known of the device of an event.
func (m *machine) trust(e raw) Trust {
	if !m.known {
		return Unknown
	}
	return m.table[e.source].trust
}

// doubt forgets where the focus was led when a device that does not count
// presses anything.
func (m *machine) doubt(t Trust) {
	if !t.Counts() {
		m.led = time.Time{}
	}
}

func (m *machine) remember(p Press) {
	if len(m.presses) == keep {
		m.presses = slices.Delete(m.presses, 0, 1)
	}
	m.presses = append(m.presses, p)
}

// read reads the device table anew. When something changes meanwhile, it is
// read once more, and until then no device is known.
func (m *machine) read() error {
	if m.reading {
		m.again = true
		return nil
	}
	m.reading, m.again = true, false
	return m.ask(request(m.major, xiQueryDevice, words(xiAllDevices, 0)...), must("list the devices", func(msg []byte) error {
		infos, err := parseDevices(msg)
		if err != nil {
			return err
		}
		return m.properties(infos)
	}))
}

// properties asks what each slave device is, and ends the reading.
func (m *machine) properties(infos []info) error {
	table := make(map[uint16]device, len(infos))
	for _, i := range infos {
		if _, twice := table[i.id]; twice {
			return errors.New("the X server lists a device twice")
		}
		table[i.id] = device{info: i}
		if i.use == useMasterPointer || i.use == useMasterKeyboard {
			continue
		}
		var node []byte
		doubt := false
		err := m.ask(getProperty(m.major, i.id, m.nodeAtom), func(msg []byte, refused bool) (err error) {
			if doubt = refused; !refused {
				node, _, err = parseProperty(msg)
			}
			return err
		})
		if err != nil {
			return err
		}
		err = m.ask(getProperty(m.major, i.id, m.xtestAtom), func(msg []byte, refused bool) error {
			if refused || doubt {
				return nil // the device is gone
			}
			_, xtest, err := parseProperty(msg)
			if err != nil {
				return err
			}
			d := device{info: i, node: string(bytes.TrimRight(node, "\x00"))}
			d.trust = judge(d.name, d.node, xtest, m.o.TestDevices, m.sys)
			table[i.id] = d
			return nil
		})
		if err != nil {
			return err
		}
	}
	return m.ask(request(opGetInputFocus, 0), func([]byte, bool) error {
		m.reading = false
		m.places = map[uint16]*place{}
		for _, d := range table {
			if d.use == useMasterPointer {
				m.places[d.id] = &place{}
				if err := m.moved(d.id); err != nil {
					return err
				}
			}
		}
		if m.again {
			return m.read()
		}
		m.table, m.known = table, true
		select {
		case <-m.ready:
			return nil
		default:
		}
		return m.ask(request(opGetInputFocus, 0), func([]byte, bool) error {
			select {
			case <-m.ready:
			default:
				close(m.ready)
			}
			return nil
		})
	})
}
