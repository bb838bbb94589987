package consentview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver"
	"fyne.io/fyne/v2/driver/desktop"

	"aval/agent/consent"
	"aval/agent/ipc"
	"aval/assets"
)

// ShowWithin is how long the window may take until its first frame is seen.
// The service waits 5 s before it tries another way.
const ShowWithin = 3500 * time.Millisecond

// callTimeout bounds one call to the service, which answers from memory or
// after one write to disk.
const callTimeout = 5 * time.Second

// step is how often the time left is drawn.
const step = 100 * time.Millisecond

// ErrServiceGone means that nobody is there any more to take an answer.
var ErrServiceGone = errors.New("the Aval service is gone")

// Service is the connection to the service that was given the question.
type Service interface {
	Call(ctx context.Context, m ipc.Method, params, result any) error
	// Pushes is closed when the connection ends.
	Pushes() <-chan ipc.Push
}

// Config is what Run needs.
type Config struct {
	App      fyne.App
	Service  Service
	Question ipc.Question // as claimed on Service
	Locale   string       // the person's own
	Last     bool         // there is no native dialog to fall back on
	Screen   Screen       // from Probe
	Log      *slog.Logger
	// OnView shows what a session recorded.
	OnView func()
	// OnShown is called when the service knows that the window is shown.
	OnShown func()
}

// Run shows the question and returns when it has ended: answered, timed out, or
// ended elsewhere. It must be called on the main goroutine and runs the
// application. Its errors wrap ErrCannotShow when nothing was shown, and
// ErrServiceGone when the service was lost.
func Run(ctx context.Context, c Config) error {
	answers := make(chan Answer, 1) // the view gives no second one before NotCounted
	view, err := New(Options{
		Question: c.Question, Locale: c.Locale, Now: time.Now, Last: c.Last, OnView: c.OnView,
		OnAnswer: func(a Answer) { answers <- a },
	})
	if err != nil {
		return err
	}
	w := c.App.NewWindow(view.Ask().Title)
	w.SetIcon(fyne.NewStaticResource("aval-64.png", assets.Icon(64)))
	w.SetPadded(false)
	w.SetFixedSize(true)
	w.SetContent(view.Content())
	w.Resize(view.Size())
	w.SetCloseIntercept(view.Close)
	w.Canvas().SetOnTypedKey(view.Key)
	if top, ok := w.(desktop.Window); ok {
		top.RequestAlwaysOnTop()
	}
	foreseen := c.Screen.scale(os.Getenv, c.App.Settings().Scale())
	place(w, view, c.Screen, foreseen)
	w.Show()
	handle := nativeHandle(w)
	if handle == 0 {
		return fmt.Errorf("%w: the toolkit made no window", ErrNoOpenGL)
	}
	if scale := w.Canvas().Scale(); scale != foreseen {
		place(w, view, c.Screen, scale)
	}
	eye, err := watch(handle)
	if err != nil {
		return err
	}
	defer eye.close()

	d := driving{Config: c, view: view, window: w, handle: uint32(handle), eye: eye, answers: answers}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		ended <- d.run(ctx)
		fyne.Do(c.App.Quit)
	}()
	c.App.Run()
	cancel()
	return <-ended
}

// Seen waits until a window of the toolkit, that was told to show itself, is on the
// screen with its first frame and nothing in front of it. It is called where the
// toolkit is, and returns what waits.
func Seen(w fyne.Window) (wait func(context.Context) error, err error) {
	handle := nativeHandle(w)
	if handle == 0 {
		return nil, fmt.Errorf("%w: the toolkit made no window", ErrNoOpenGL)
	}
	eye, err := watch(handle)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		defer eye.close()
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case c, ok := <-eye.changes():
				if !ok || c == gone {
					return fmt.Errorf("%w: the display is gone", ErrCannotShow)
				}
				if c == seen {
					return nil
				}
			}
		}
	}, nil
}

func nativeHandle(w fyne.Window) (handle uintptr) {
	native, ok := w.(driver.NativeWindow)
	if !ok {
		return 0
	}
	native.RunNative(func(context any) {
		switch c := context.(type) {
		case driver.X11WindowContext:
			handle = c.WindowHandle
		case driver.WindowsWindowContext:
			handle = c.HWND
		}
	})
	return handle
}

// Room in pixels that the window leaves: above it for the bar that shows other
// sessions being recorded, which must not lie in front (more where it has more
// than one row), and for its title bar.
const (
	roomForBar   = 48
	roomForTitle = 40
)

// place puts the window in the middle of the screen, and makes it lower where
// the screen is. The toolkit knows the scale only once the window is there, and
// shows it at once: so it is placed before, at the scale that is foreseen, and
// does not move under the person's hand.
func place(w fyne.Window, view *View, s Screen, scale float32) {
	top := max(roomForBar, s.Bar+2)
	room := s.Height - top - roomForTitle
	view.Fit(float32(room) / scale)
	w.Resize(view.Size())
	width, height := int(view.Size().Width*scale), int(view.Size().Height*scale)
	x := s.X + max(0, (s.Width-width)/2)
	y := s.Y + top + max(0, (room-height)/2)
	if placed, ok := w.(desktop.Window); ok {
		placed.RequestPosition(x, y)
	}
}

// driving carries the question from shown to its end. It owns everything that
// is not drawing; the view is touched only through fyne.Do.
type driving struct {
	Config
	view    *View
	window  fyne.Window
	handle  uint32 // the X id of the window
	eye     sight
	answers chan Answer
	shown   bool
}

func (d *driving) run(ctx context.Context) error {
	late := time.NewTimer(ShowWithin)
	defer late.Stop()
	ticks := time.NewTicker(step)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			if !d.shown {
				return fmt.Errorf("%w: no painted window within %v", ErrCannotShow, ShowWithin)
			}
		case c, ok := <-d.eye.changes():
			if !ok || c == gone {
				if !d.shown {
					return fmt.Errorf("%w: the display is gone", ErrCannotShow)
				}
				return errors.New("the display is gone")
			}
			if err := d.changed(ctx, c); err != nil {
				return err
			}
		case p, ok := <-d.Service.Pushes():
			if !ok {
				return ErrServiceGone
			}
			if d.endedElsewhere(p) {
				return nil
			}
		case a := <-d.answers:
			if open, err := d.tell(ctx, a); !open || err != nil {
				return err
			}
		case <-ticks.C:
			over := false
			fyne.DoAndWait(func() { over = d.view.Tick() })
			if over {
				return d.lastAnswer(ctx)
			}
		}
	}
}

// changed passes on what happened to the window. The first time that it is
// seen, the service is told, and gives the deadline.
func (d *driving) changed(ctx context.Context, c change) error {
	switch c {
	case covered:
		fyne.Do(d.view.Covered)
	case disturbed:
		fyne.Do(d.view.Disturbed)
	case seen:
		if !d.shown {
			ask := d.view.first // the language cannot have been changed: nothing counted yet
			var result ipc.QuestionShownResult
			err := d.call(ctx, ipc.MethodQuestionShown,
				ipc.QuestionShown{Question: d.Question.Question, Locale: ask.Locale, TextSHA256: ask.WindowSHA256(), Window: d.handle}, &result)
			if err != nil {
				return fmt.Errorf("report the question as shown: %w", err)
			}
			d.shown = true
			if d.OnShown != nil {
				d.OnShown()
			}
			fyne.Do(func() { d.view.SetDeadline(result.Deadline) })
		}
		fyne.Do(d.view.Seen)
	}
	return nil
}

// lastAnswer takes an answer that was given before the time was over.
func (d *driving) lastAnswer(ctx context.Context) error {
	select {
	case a := <-d.answers:
		_, err := d.tell(ctx, a)
		return err
	default:
		return nil
	}
}

// tell gives the answer to the service, and says whether the question is still
// open: a yes may be one that does not count.
func (d *driving) tell(ctx context.Context, a Answer) (open bool, err error) {
	if !d.shown {
		// Closed before the service knew of the window: it has no question to
		// answer here. Another way of asking is tried, as for any window that goes.
		return false, fmt.Errorf("%w: it was closed before it was seen", ErrCannotShow)
	}
	if a.Later {
		return false, nil // the connection ends, and the service asks again another time
	}
	leave := d.Question.Leave != nil
	if !a.Allow && !leave {
		fyne.Do(d.window.Hide) // out of sight at once
	}
	if a.Press != nil {
		a.Press.Window = d.handle
	}
	var result ipc.QuestionAnswerResult
	err = d.call(ctx, ipc.MethodQuestionAnswer, ipc.QuestionAnswer{
		Question: d.Question.Question, Allow: a.Allow, Groups: a.Groups, ForMinutes: a.ForMinutes, Locale: a.Locale, TextSHA256: a.TextSHA256,
		Press: a.Press,
	}, &result)
	if err != nil {
		return false, fmt.Errorf("give the answer: %w", err)
	}
	d.Log.Info("question answered", "question", d.Question.Question, "outcome", result.Outcome)
	if (a.Allow || leave) && result.Outcome == consent.OutcomeAsking {
		d.Log.Warn("the answer did not count", "question", d.Question.Question, "why", result.Refused)
		fyne.Do(func() { d.view.NotCounted(result.Refused == ipc.RefusedRemote) })
		return true, nil
	}
	return false, nil
}

func (d *driving) call(ctx context.Context, m ipc.Method, params, result any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := d.Service.Call(ctx, m, params, result)
	var refused *ipc.Error
	if err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", ErrServiceGone, err)
	}
	return err
}

// endedElsewhere tells whether p says that the question is over.
func (d *driving) endedElsewhere(p ipc.Push) bool {
	if p.Name != ipc.PushPromptClose {
		return false
	}
	var closed ipc.PromptClose
	err := json.Unmarshal(p.Data, &closed)
	return err != nil || closed.Question == d.Question.Question
}
