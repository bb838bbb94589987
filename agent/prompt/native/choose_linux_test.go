package native

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"aval/agent/x11/xtest"
)

// Both programs show the list as plain text, give the row that was chosen by the
// keyboard alone, and nothing when it is closed. Planted bug: leave out
// EscapeString in listArgs, and zenity shows a text of its own instead.
func TestChoose(t *testing.T) {
	text := "Em vigor: <b>Negado</b> & \\n \"x\".\n\nPermitido: sem perguntar."
	rows := []Row{{Name: "Permit<i>ido</i>"}, {Name: "Negado &amp;", Chosen: true}, {Name: "Após confirmação"}}
	for name, keys := range map[string][]string{"zenity": {"Home", "Down", "Down", "Return"}, "kdialog": {"Down", "Return"}} {
		for _, leave := range []bool{false, true} {
			tool, want := Tool{Name: name, Path: "/usr/bin/" + name}, 2
			if _, err := os.Stat(tool.Path); err != nil {
				continue // the other one is tested
			}
			x := xtest.Start(t, xtest.Options{WM: true})
			t.Setenv("DISPLAY", x.Display)
			if leave {
				keys, want = []string{"Escape"}, -1
			}
			got := make(chan int, 1)
			go func() {
				n, err := tool.Choose(context.Background(), "Lista", text, "Escolher", "Fechar", rows)
				if err != nil {
					t.Error(err)
				}
				got <- n
			}()
			var id string
			xtest.Wait(t, "the list", func() bool {
				out, _ := x.Try("xdotool", "search", "--onlyvisible", "--name", "^Lista")
				id, _, _ = strings.Cut(out, "\n")
				return id != ""
			})
			x.Run(t, "xdotool", "windowactivate", "--sync", id)
			x.Shot(t, "native-list-"+name)
			x.Run(t, "xdotool", append([]string{"key", "--delay", "150"}, keys...)...)
			if n := <-got; n != want {
				t.Errorf("%s: row %d, want %d", name, n, want)
			}
		}
	}
	for _, name := range []string{"zenity", "kdialog"} {
		args := strings.Join(Tool{Name: name}.listArgs("--evil", text, "--evil", "--evil", rows), "\x00")
		if strings.Contains(args, "<b>") || strings.Contains(args, `\n`) {
			t.Errorf("%s: markup in %q", name, args)
		}
	}
}

// TestNoDisplay: where there is no display nothing was chosen and nothing was told,
// which is an error and no closed dialog. Leave openScreen out of show, and zenity's
// status 1 is taken for Cancel.
func TestNoDisplay(t *testing.T) {
	tool, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, display := range []string{"", ":9999"} {
		t.Setenv("DISPLAY", display)
		if n, err := tool.Choose(t.Context(), "List", "text", "OK", "Close", []Row{{Name: "a"}}); !errors.Is(err, ErrNoWindow) || n != -1 {
			t.Errorf("display %q: row %d, %v", display, n, err)
		}
		if err := tool.Tell(t.Context(), "Title", "text", "OK"); !errors.Is(err, ErrNoWindow) {
			t.Errorf("display %q: %v", display, err)
		}
	}
}
