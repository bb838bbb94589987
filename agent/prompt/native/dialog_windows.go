package native

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"

	"aval/assets"
)

var (
	user32        = windows.NewLazySystemDLL("user32.dll")
	procDialogBox = user32.NewProc("DialogBoxIndirectParamW")
	procEndDialog = user32.NewProc("EndDialog")
	procSetTimer  = user32.NewProc("SetTimer")
	procSend      = user32.NewProc("SendDlgItemMessageW")
)

// From winuser.h (Microsoft Learn).
const (
	wmClose      = 0x0010
	wmInitDialog = 0x0110
	wmCommand    = 0x0111
	wmTimer      = 0x0113
	lbAddString  = 0x0180
	lbSetCurrent = 0x0186
	lbGetCurrent = 0x0188
	lbnDouble    = 2

	idOK     = 1
	idCancel = 2
	idNo     = 7
	idYes    = 6
	idList   = 100
	idText   = 101
)

// screen is nothing here: the dialog's own thread knows when it is visible.
type screen struct{}

func openScreen(string) (screen, error) { return screen{}, nil }

// Close has nothing to end.
func (screen) Close() {}

// All returns the one way in which Windows asks: a dialog of the system's own
// controls, which screen readers read, and which needs no program.
func All() ([]Tool, error) { return []Tool{{Name: "windows"}}, nil }

// button of a dialog; the first one is what Enter presses.
type button struct {
	id   uint16
	text string
}

// box is a dialog that is shown. Its thread owns result.
type box struct {
	ctx     context.Context
	rows    []Row
	visible func() // called once, when it is
	seen    bool
	chosen  int // of rows
}

// endWithin is how long a dialog may take to go away when it is told to.
const endWithin = 2 * time.Second

var (
	boxes   sync.Map // thread id → *box
	boxProc = sync.OnceValue(func() uintptr { return windows.NewCallback(onMessage) })
)

// run shows a dialog on a thread of its own, and returns what was pressed. It ends
// with ctx, and then, as with every failure, nothing was.
func (b *box) run(title, text string, buttons []button) (pressed uint16, err error) {
	if err := procDialogBox.Find(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoWindow, err)
	}
	raw := template(title, wrapped(text), buttons, len(b.rows))
	type outcome struct {
		pressed uint16
		err     error
	}
	ended := make(chan outcome, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: its messages end with it
		id := windows.GetCurrentThreadId()
		boxes.Store(id, b)
		defer boxes.Delete(id)
		var self windows.Handle
		_ = windows.GetModuleHandleEx(windows.GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, nil, &self)
		r, _, err := procDialogBox.Call(uintptr(self), uintptr(unsafe.Pointer(&raw[0])), 0, boxProc(), 0)
		if int32(r) <= 0 { // 0 is only for a parent that is none
			ended <- outcome{err: fmt.Errorf("%w: %w", ErrNoWindow, err)}
			return
		}
		ended <- outcome{pressed: uint16(r)}
	}()
	var o outcome
	select {
	case o = <-ended:
	case <-b.ctx.Done():
		select {
		case <-ended:
		case <-time.After(endWithin): // the thread hangs
		}
	}
	if b.ctx.Err() != nil {
		return 0, b.ctx.Err()
	}
	return o.pressed, o.err
}

// onMessage is the dialog's own procedure; it answers with what it has dealt with.
func onMessage(w windows.HWND, number, wParam, _ uintptr) uintptr {
	v, ok := boxes.Load(windows.GetCurrentThreadId())
	if !ok {
		return 0
	}
	b := v.(*box)
	end := func(id uintptr) uintptr {
		if current, _, _ := procSend.Call(uintptr(w), idList, lbGetCurrent, 0, 0); len(b.rows) > 0 {
			b.chosen = int(int32(current))
		}
		procEndDialog.Call(uintptr(w), id)
		return 1
	}
	switch number {
	case wmInitDialog:
		for i, r := range b.rows {
			if p, err := windows.UTF16PtrFromString(oneLine(r.Name)); err == nil {
				procSend.Call(uintptr(w), idList, lbAddString, 0, uintptr(unsafe.Pointer(p)))
			}
			if r.Chosen {
				procSend.Call(uintptr(w), idList, lbSetCurrent, uintptr(i), 0)
			}
		}
		procSetTimer.Call(uintptr(w), 1, uintptr(look/time.Millisecond), 0)
		return 1 // the focus goes to the first control that can have it: a refusal, or the list
	case wmTimer:
		if b.ctx.Err() != nil {
			return end(idCancel)
		}
		if !b.seen && windows.IsWindowVisible(w) {
			b.seen = true
			if b.visible != nil {
				b.visible()
			}
		}
		return 1
	case wmClose:
		return end(idCancel)
	case wmCommand:
		switch id := wParam & 0xFFFF; id {
		case idYes, idNo, idOK, idCancel:
			return end(id)
		case idList:
			if wParam>>16 == lbnDouble {
				return end(idOK)
			}
		}
	}
	return 0
}

// once shows the dialog one time. lived is for how long it had been visible
// when the answer came.
func (t Tool) once(ctx context.Context, _ screen, d Dialog, visible func() (time.Time, error)) (a Answer, lived time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var appeared time.Time
	var told error
	late := false
	b := &box{ctx: ctx}
	var timer *time.Timer
	b.visible = func() {
		appeared = time.Now()
		var until time.Time
		if until, told = visible(); told != nil {
			cancel()
			return
		}
		timer = time.AfterFunc(time.Until(until), cancel)
	}
	pressed, err := b.run(d.Title, d.Text, []button{{idNo, d.No}, {idYes, d.Yes}})
	if timer != nil {
		late = !timer.Stop()
	}
	switch {
	case told != nil:
		return None, 0, told
	case late:
		return None, 0, nil
	case err != nil && appeared.IsZero() && !errors.Is(err, context.Canceled):
		return None, 0, fmt.Errorf("%w: %w", ErrNoWindow, err)
	case err != nil:
		return None, 0, err
	case appeared.IsZero():
		return None, 0, ErrNoWindow
	}
	lived = time.Since(appeared)
	if pressed == idYes {
		return Yes, lived, nil
	}
	return No, lived, nil
}

// Tell shows a text and waits until the person has closed it.
func (t Tool) Tell(ctx context.Context, title, text, ok string) error {
	_, err := (&box{ctx: ctx}).run(title, text, []button{{idOK, ok}})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("show a text: %w", err)
	}
	return err
}

// Choose shows a list and returns the row that was chosen, -1: none. Nothing about
// it is a proof of who chose. The dialog is gone when Choose returns.
func (t Tool) Choose(ctx context.Context, title, text, ok, cancel string, rows []Row) (int, error) {
	b := &box{ctx: ctx, rows: rows, chosen: -1}
	pressed, err := b.run(title, text, []button{{idOK, ok}, {idCancel, cancel}})
	switch {
	case ctx.Err() != nil:
		return -1, nil
	case err != nil:
		return -1, fmt.Errorf("show a list: %w", err)
	case pressed != idOK || b.chosen < 0 || b.chosen >= len(rows):
		return -1, nil
	}
	return b.chosen, nil
}

// Measures of a dialog, in its own units: a quarter of a character's width, and an
// eighth of its height.
const (
	boxMargin  = 10
	boxWidth   = 300
	lineHeight = 8
	rowsHeight = 11
	buttonHigh = 18
	buttonWide = 62
)

// template is the dialog in memory (Microsoft Learn, DLGTEMPLATEEX and
// DLGITEMTEMPLATEEX): a text, a list where there are rows, and the buttons at the
// right, all of the same weight.
func template(title, text string, buttons []button, rows int) []byte {
	const (
		popup, caption, menu, visible, child, tabstop, group, border, scroll = 0x80000000, 0x00C00000, 0x00080000, 0x10000000, 0x40000000, 0x00010000, 0x00020000, 0x00800000, 0x00200000
		modalFrame, setFont, centre                                          = 0x80, 0x48, 0x800
		noPrefix, defaultButton, notify                                      = 0x80, 0x1, 0x1
		classButton, classStatic, classList                                  = 0x80, 0x82, 0x83
		topmost, appWindow                                                   = 0x8, 0x40000
	)
	lines := 1 + strings.Count(text, "\n")
	textHigh := lines*lineHeight + 4
	listHigh := 0
	if rows > 0 {
		listHigh = rows*rowsHeight + 6
	}
	buttonsTop := boxMargin + textHigh + listHigh + boxMargin
	items := 1 + len(buttons)
	if rows > 0 {
		items++
	}
	var b []byte
	u16 := func(vs ...int) {
		for _, v := range vs {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	u32 := func(vs ...uint32) {
		for _, v := range vs {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	str := func(s string) {
		for _, c := range utf16.Encode([]rune(strings.ReplaceAll(s, "\x00", ""))) {
			u16(int(c))
		}
		u16(0)
	}
	u16(1, 0xFFFF)
	u32(0, topmost|appWindow, popup|caption|menu|visible|modalFrame|setFont|centre)
	u16(items, 0, 0, boxWidth+2*boxMargin, buttonsTop+buttonHigh+boxMargin)
	u16(0, 0) // no menu, the class of dialogs
	str(oneLine(title))
	u16(9, 400, 0x0100) // points, weight; upright, any character set
	str("Segoe UI")
	item := func(style uint32, x, y, cx, cy int, id uint16, class int, text string) {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		u32(0, 0, child|visible|style)
		u16(x, y, cx, cy)
		u32(uint32(id))
		u16(0xFFFF, class)
		str(text)
		u16(0)
	}
	if rows > 0 { // first, so that it has the focus
		item(tabstop|border|scroll|notify, boxMargin, boxMargin+textHigh, boxWidth, listHigh, idList, classList, "")
	}
	wide := buttonWide
	for _, btn := range buttons {
		wide = max(wide, 5*assets.Columns(btn.text)+16)
	}
	x := boxMargin + boxWidth - len(buttons)*wide - (len(buttons)-1)*6
	for i, btn := range buttons {
		style := uint32(tabstop)
		if i == 0 {
			style |= defaultButton | group
		}
		item(style, x+i*(wide+6), buttonsTop, wide, buttonHigh, btn.id, classButton, strings.ReplaceAll(oneLine(btn.text), "&", "&&"))
	}
	item(noPrefix, boxMargin, boxMargin, boxWidth, textHigh, idText, classStatic, strings.ReplaceAll(text, "\n", "\r\n"))
	return b
}
