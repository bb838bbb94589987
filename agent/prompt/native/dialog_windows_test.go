package native

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var procPost = user32.NewProc("PostMessageW")

// pressSoon presses a button of the dialog as its own keyboard would, once it is
// there and after a while.
func pressSoon(t *testing.T, title string, id uintptr, after time.Duration) {
	t.Helper()
	find := user32.NewProc("FindWindowW")
	name, err := windows.UTF16PtrFromString(title)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(look) {
			if w, _, _ := find.Call(0, uintptr(unsafe.Pointer(name))); w != 0 && windows.IsWindowVisible(windows.HWND(w)) {
				time.Sleep(after)
				procPost.Call(w, wmCommand, id, 0)
				return
			}
		}
	}()
}

// TestDialog: the answers of the system's own dialog, and that none of them counts
// that comes too early: seen to fail without the second round in Ask. The end of
// the time and of ctx are no answers.
func TestDialog(t *testing.T) {
	tools, err := All()
	if err != nil {
		t.Fatal(err)
	}
	const enough = 700 * time.Millisecond
	for _, c := range []struct {
		name  string
		id    uintptr
		after time.Duration
		until time.Duration
		want  Answer
	}{
		{"yes", idYes, enough, time.Minute, Yes},
		{"no", idNo, enough, time.Minute, No},
		{"closed", idCancel, enough, time.Minute, No},
		{"time is up", idYes, time.Minute, 500 * time.Millisecond, None},
	} {
		t.Run(c.name, func(t *testing.T) {
			tool := tools[0]
			tool.doubt = enough / 2
			d := Dialog{Title: "Aval " + c.name, Text: "Example Support & Co quer <b>registrar</b>.\n\nSerá registrado: tudo.", Yes: "Permitir acesso", No: "Não permitir"}
			pressSoon(t, d.Title, c.id, c.after)
			shown := 0
			got, err := tool.Ask(context.Background(), "", d, func() (time.Time, error) { shown++; return time.Now().Add(c.until), nil })
			if got != c.want || err != nil || shown != 1 {
				t.Errorf("%v, %v, shown %d times", got, err, shown)
			}
		})
	}
	t.Run("too early, twice", func(t *testing.T) {
		tool := tools[0]
		tool.doubt = time.Minute
		pressSoon(t, "Aval early", idYes, 300*time.Millisecond)
		asked := 0
		got, err := tool.Ask(context.Background(), "", Dialog{Title: "Aval early", Text: "?", Yes: "Y", No: "N"}, func() (time.Time, error) {
			asked++
			time.AfterFunc(time.Second, func() { pressSoon(t, "Aval early", idYes, 300*time.Millisecond) })
			return time.Now().Add(time.Minute), nil
		})
		if got != No || err != nil || asked != 1 {
			t.Errorf("%v, %v, %d", got, err, asked)
		}
	})
	t.Run("ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		got, err := tools[0].Ask(ctx, "", Dialog{Title: "Aval ended", Text: "?", Yes: "Y", No: "N"}, func() (time.Time, error) {
			time.AfterFunc(200*time.Millisecond, cancel)
			return time.Now().Add(time.Minute), nil
		})
		if got != None || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestList(t *testing.T) {
	pressSoon(t, "Aval list", idOK, 300*time.Millisecond)
	n, err := Tool{}.Choose(context.Background(), "Aval list", "Em vigor: Negado", "Escolher", "Fechar", []Row{{Name: "Permitido"}, {Name: "Negado", Chosen: true}})
	if n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestTemplate: a name from outside is text, and never ends the template early.
func TestTemplate(t *testing.T) {
	raw := template("a\x00b", strings.Repeat("x\n", 30), []button{{idNo, "N&o"}, {idYes, strings.Repeat("sim ", 9)}}, 0)
	if len(raw)%2 != 0 || !strings.Contains(string(raw), "N\x00&\x00&\x00o\x00") || strings.Contains(string(raw), "a\x00\x00\x00b") {
		t.Errorf("%q", raw)
	}
}
