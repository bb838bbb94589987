package rig

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

func init() { xgb.Logger.SetOutput(io.Discard) }

// Display is one X server and a connection of the rig's own to it.
type Display struct {
	Name          string // ":82"
	Width, Height int
	Server        *Proc // nil for a display that was there already

	r     *Rig
	conn  *xgb.Conn
	root  xproto.Window
	depth byte
	keys  map[rune]key
	outer *Display // the display that Server is a window of; nil: none

	unmapping, unmapped chan struct{} // of KeepUnmapped; nil: not under way
}

// Nested displays are opened with or without OpenGL.
const (
	WithGL    = "+GLX"
	WithoutGL = "-GLX"
)

func glx(gl string) []string {
	if gl == WithoutGL {
		return []string{"-extension", "GLX"}
	}
	return []string{"+extension", "GLX"}
}

// StartXvfb starts a display that nobody sees.
func (r *Rig) StartXvfb(name string, width, height int) (*Display, error) {
	args := append([]string{"-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset"}, glx(WithGL)...)
	return r.startX(Cmd{Name: name, Path: "Xvfb", Args: args}, nil)
}

// StartXephyr starts a display that is a window of outer: a click on that window
// reaches the inner server from a device of its own, not through XTEST.
func (r *Rig) StartXephyr(name string, outer *Display, width, height int, gl string) (*Display, error) {
	args := append([]string{"-screen", fmt.Sprintf("%dx%d", width, height), "-no-host-grab", "-noreset", "-nolisten", "tcp", "-title", xephyrTitle(name)}, glx(gl)...)
	return r.startX(Cmd{Name: name, Path: "Xephyr", Args: args, Env: r.Env("DISPLAY="+outer.Name, "XAUTHORITY="+authority())}, outer)
}

// authority is the caller's own key to its display (Xsecurity(7)): the rig's
// programs have another home.
func authority() string {
	if f := os.Getenv("XAUTHORITY"); f != "" {
		return f
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".Xauthority")
}

func xephyrTitle(name string) string { return "Aval: " + name }

// startX lets the server choose a free number and waits until it says which.
func (r *Rig) startX(c Cmd, outer *Display) (*Display, error) {
	rd, wr, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	c.FDs = []*os.File{wr}
	c.Args = append([]string{"-displayfd", "3"}, c.Args...)
	p, err := r.Start(c)
	wr.Close()
	if err != nil {
		return nil, err
	}
	if err := rd.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	buf := make([]byte, 16)
	n, err := rd.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w\n%s", c.Name, err, p.Tail())
	}
	d, err := r.OpenDisplay(":" + strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return nil, err
	}
	d.Server, d.outer = p, outer
	return d, nil
}

// OpenDisplay connects to a display that is there already.
func (r *Rig) OpenDisplay(name string) (*Display, error) {
	conn, err := xgb.NewConnDisplay(name)
	if err != nil {
		return nil, fmt.Errorf("open display %s: %w", name, err)
	}
	if err := xtest.Init(conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open display %s: %w", name, err)
	}
	s := xproto.Setup(conn).DefaultScreen(conn)
	d := &Display{Name: name, Width: int(s.WidthInPixels), Height: int(s.HeightInPixels), r: r, conn: conn, root: s.Root, depth: s.RootDepth}
	r.Defer(conn.Close)
	return d, nil
}

// StartWM starts openbox with a menu of its own and waits until it manages the
// display (EWMH: _NET_SUPPORTING_WM_CHECK on the root window). The menu opens
// with the right button on an empty place; entries are label and command.
func (r *Rig) StartWM(d *Display, menu ...[2]string) (*Proc, error) {
	conf := r.Path("wm" + strings.TrimPrefix(d.Name, ":"))
	if err := os.MkdirAll(conf, 0o700); err != nil {
		return nil, err
	}
	var m strings.Builder
	m.WriteString(`<openbox_menu xmlns="http://openbox.org/3.4/menu"><menu id="root-menu" label="Menu">`)
	for _, e := range menu {
		fmt.Fprintf(&m, `<item label="%s"><action name="Execute"><command>%s</command></action></item>`, e[0], e[1])
	}
	m.WriteString(`</menu></openbox_menu>`)
	rc := `<openbox_config xmlns="http://openbox.org/3.4/rc">
<theme><name>Clearlooks</name><titleLayout>LC</titleLayout></theme>
<desktops><number>1</number></desktops>
<focus><focusNew>yes</focusNew></focus>
<menu><file>` + conf + `/menu.xml</file></menu>
<mouse><doubleClickTime>300</doubleClickTime>
<context name="Titlebar"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context>
<context name="Close"><mousebind button="Left" action="Click"><action name="Close"/></mousebind></context>
<context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context>
<context name="Root"><mousebind button="Right" action="Press"><action name="ShowMenu"><menu>root-menu</menu></action></mousebind></context>
</mouse></openbox_config>`
	if err := os.WriteFile(conf+"/menu.xml", []byte(m.String()), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(conf+"/rc.xml", []byte(rc), 0o600); err != nil {
		return nil, err
	}
	p, err := r.Start(Cmd{Name: "openbox", Path: "openbox", Args: []string{"--sm-disable", "--config-file", conf + "/rc.xml"}, Env: r.Env("DISPLAY=" + d.Name)})
	if err != nil {
		return nil, err
	}
	check := d.atom("_NET_SUPPORTING_WM_CHECK")
	return p, r.Wait("the window manager of "+d.Name, 15*time.Second, func() (bool, error) {
		rep, err := xproto.GetProperty(d.conn, false, d.root, check, xproto.AtomWindow, 0, 1).Reply()
		return err == nil && rep.ValueLen == 1, err
	})
}

// Background paints the root window in one colour.
func (d *Display) Background(rgb uint32) error {
	if err := xproto.ChangeWindowAttributesChecked(d.conn, d.root, xproto.CwBackPixel, []uint32{rgb}).Check(); err != nil {
		return err
	}
	return xproto.ClearAreaChecked(d.conn, false, d.root, 0, 0, 0, 0).Check()
}

// SetDPI tells programs how large a person wants things: 96 is 100 % (the resource
// Xft.dpi, X(7)).
func (d *Display) SetDPI(dpi int) error {
	text := fmt.Sprintf("Xft.dpi:\t%d\n", dpi)
	return xproto.ChangePropertyChecked(d.conn, xproto.PropModeReplace, d.root, xproto.AtomResourceManager, xproto.AtomString, 8, uint32(len(text)), []byte(text)).Check()
}

func (d *Display) atom(name string) xproto.Atom {
	rep, err := xproto.InternAtom(d.conn, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0
	}
	return rep.Atom
}
