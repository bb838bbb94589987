package capture

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTogether: the loss of one of several followers is the loss of the source, told
// at once and not when the session ends. Planted and seen caught: the others not
// ended (all.Wait before cancel), so that together never returns.
func TestTogether(t *testing.T) {
	untilEnd := func(ctx context.Context) error { <-ctx.Done(); return nil }
	lost := errors.New("lost")
	for name, tt := range map[string]struct {
		second func(context.Context) error
		want   error
	}{
		"lost":  {func(context.Context) error { return lost }, lost},
		"ended": {func(context.Context) error { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := together(t.Context(), untilEnd, tt.second, untilEnd); err != tt.want {
					t.Errorf("together: %v", err)
				}
			})
		})
	}
	for name, followers := range map[string][]func(context.Context) error{"some": {untilEnd, untilEnd}, "none": nil} {
		t.Run("stopped, "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var err error
				done := make(chan struct{})
				go func() { defer close(done); err = together(ctx, followers...) }()
				synctest.Wait()
				select {
				case <-done:
					t.Fatal("it ended before it was stopped")
				default:
				}
				cancel()
				<-done
				if err != nil {
					t.Errorf("together: %v", err)
				}
			})
		})
	}
}

// TestForgotten: what waits for its tool to be heard of is told then, and with the end
// of the capture neither told nor kept. Planted and seen caught: forget that does
// nothing.
func TestForgotten(t *testing.T) {
	for _, ends := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWork()
			told := 0
			w.mine(time.Now(), func() { told++ }, packagers)
			w.looked(1, seen{name: "dpkg", at: time.Now()}, false)
			if ends {
				w.forget()
				w.mine(time.Now().Add(-time.Hour), func() { told++ }, packagers)
			}
			time.Sleep(2 * heardOf)
			if (told == 0) != ends || len(w.later) != 0 {
				t.Errorf("ended: %v, told %d times, %d wait", ends, told, len(w.later))
			}
		})
	}
}
