package consentview

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// change is what happened to the window on the screen.
type change int

const (
	// seen: it is mapped, nothing is in front of it, and its first frame is painted.
	seen change = iota
	// covered: something is in front of it, or it left the screen.
	covered
	// disturbed: it moved, changed its size or lost the focus.
	disturbed
	// gone: the display is gone.
	gone
)

// ErrCannotShow means that the window cannot be shown here, and that another
// way of asking must be tried. Errors that wrap it say why.
var ErrCannotShow = errors.New("the window cannot be shown")

// ErrNoOpenGL is that for want of OpenGL, found before anything was fetched or after:
// a program with a library of its own for it may do better.
var ErrNoOpenGL = fmt.Errorf("%w: there is no OpenGL for it", ErrCannotShow)

// sight follows one window on the screen.
type sight interface {
	// changes delivers what happens, in order; it is closed after Close or gone.
	changes() <-chan change
	// close ends it; it may be called more than once.
	close()
}

// Screen is the part of the display where a window can be, in pixels.
type Screen struct {
	X, Y, Width, Height int
	Millimetres         int // of the width; 0: not known
	Bar                 int // how far down from Y the bar reaches; 0: there is none
}

// scale foresees the scale that the toolkit will take (fyne 2.8.1,
// internal/driver/glfw: scale.go, and detectScale and getMonitorScale of
// window_desktop.go). user is the setting of the toolkit.
func (s Screen) scale(env func(string) string, user float32) float32 {
	if v := env("FYNE_SCALE"); v == "auto" {
		user = 1
	} else if f, err := strconv.ParseFloat(v, 32); err == nil && f != 0 {
		user = float32(f)
	}
	if user <= 0 {
		user = 1
	}
	detected := float32(1)
	if v := strings.ToLower(env("FYNE_DISABLE_DPI_DETECTION")); v != "true" && v != "t" && v != "1" {
		const base = 120
		dpi := float32(base)
		if s.Millimetres > 0 {
			dpi = float32(s.Width) / (float32(s.Millimetres) / 25.4)
		}
		if dpi > 1000 || dpi < 10 {
			dpi = base
		}
		detected = max(1, dpi/base)
	}
	return float32(math.Round(float64(detected*user*10))) / 10
}
