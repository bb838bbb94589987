package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver"

	"aval/agent/ipc"
)

// Pressed is where something has just been pressed, for the service to find out
// whose hand it was; nil: it is in no window.
func Pressed(o fyne.CanvasObject, byKey bool) *ipc.Press {
	d := fyne.CurrentApp().Driver()
	c := d.CanvasForObject(o)
	if c == nil {
		return nil
	}
	var p ipc.Press
	for _, w := range d.AllWindows() {
		if w.Canvas() == c {
			p.Window = uint32(Handle(w))
		}
	}
	if byKey {
		p.Key = true
		return &p
	}
	at, size, scale := d.AbsolutePositionForObject(o), o.Size(), c.Scale()
	p.X, p.Y, p.Width, p.Height = int(at.X*scale), int(at.Y*scale), int(size.Width*scale), int(size.Height*scale)
	return &p
}

// Handle is a window's X id; 0: it has none.
func Handle(w fyne.Window) (handle uintptr) {
	native, ok := w.(driver.NativeWindow)
	if !ok {
		return 0
	}
	native.RunNative(func(context any) {
		if x, ok := context.(driver.X11WindowContext); ok {
			handle = x.WindowHandle
		}
	})
	return handle
}
