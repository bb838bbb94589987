// Command screens takes a picture of Aval's windows in every language, colour
// variant and size that matters, drawn by the real program in a real X server,
// for somebody to look at.
//
//	go run -trimpath -tags x11,migrated_fynedo,no_emoji ./test/screens [-bin bin] [-out out/screens] [-only TEXT]
//
// The one rule that must not be broken: the pictures are of the real window,
// never of a drawing of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aval/agent/event"
	"aval/agent/ipc"
	"aval/assets"
	"aval/test/rig"
	"aval/test/stage"
)

// shot is one picture.
type shot struct {
	name           string
	locale         string
	variant        string // light or dark
	scale          string
	width, height  int // of the screen
	question       ipc.Question
	mainWindow     bool
	activity       bool // the window of what was decided
	withoutWM      bool // no window manager
	settings       *settings
	withoutService bool
	early          bool     // while the buttons do not count yet
	keys           []string // pressed before the picture, by their names in X
}

func main() {
	bin := flag.String("bin", "bin", "folder with aval-ui")
	out := flag.String("out", "out/screens", "folder for the pictures")
	only := flag.String("only", "", "take only pictures with this in their name")
	flag.Parse()
	if err := take(*bin, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

func take(bin, out, only string) error {
	var err error
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	if err := rig.Need("Xvfb", "openbox", "xdotool"); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, s := range shots() {
		if !strings.Contains(s.name, only) {
			continue
		}
		path := filepath.Join(out, s.name+".png")
		if err := twice(func() error { return s.take(bin, path) }); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(path)
	}
	for _, l := range lives(bin, out, only) {
		if l.wanted(scenes...) {
			if err := twice(l.take); err != nil {
				return err
			}
		}
	}
	return nil
}

func shots() []shot {
	var list []shot
	for _, locale := range []string{"pt_BR.UTF-8", "en_GB.UTF-8", "de_DE.UTF-8", "ja_JP.UTF-8"} {
		for _, variant := range []string{"light", "dark"} {
			for _, size := range []struct {
				name, scale   string
				width, height int
			}{{"100", "1", 1280, 800}, {"200", "2", 2200, 1600}} {
				list = append(list, shot{
					name: fmt.Sprintf("ask-%s-%s-%s", locale[:2], variant, size.name), locale: locale, variant: variant,
					scale: size.scale, width: size.width, height: size.height, question: stage.Question(30),
				})
			}
		}
	}
	more := func(name, variant string, s shot) {
		s.name, s.variant = name, variant
		if s.locale == "" {
			s.locale = "pt_BR.UTF-8"
		}
		if s.scale == "" {
			s.scale = "1"
		}
		if s.width == 0 {
			s.width, s.height = 1280, 800
		}
		list = append(list, s)
	}
	more("ask-small-screen", "light", shot{width: 1024, height: 600, question: stage.Question(30)})
	more("ask-small-screen-200", "light", shot{width: 1024, height: 600, scale: "2", question: stage.Question(30)})
	more("ask-early", "light", shot{question: stage.Question(30), early: true})
	more("ask-early-dark", "dark", shot{question: stage.Question(30), early: true})
	more("ask-long-names", "light", shot{question: long()})
	more("ask-long-names-en-dark", "dark", shot{locale: "en", question: long()})
	more("ask-address-ai-verified", "light", shot{question: address()})
	more("ask-verified-ai", "dark", shot{question: verified()})
	more("ask-two-companies", "light", shot{question: two()})
	more("ask-code-first", "light", shot{question: guest()})
	more("ask-code-first-de-dark", "dark", shot{locale: "de_DE.UTF-8", question: guest()})
	more("ask-account-first", "light", shot{question: account()})
	more("ask-code-small", "light", shot{width: 1024, height: 600, question: guest()})
	more("main-code", "dark", shot{mainWindow: true, settings: &settings{}})
	more("main-code-200", "light", shot{mainWindow: true, settings: &settings{}, scale: "2", width: 2200, height: 1600})
	more("ask-few-groups", "light", shot{question: few()})
	more("ask-further", "light", shot{question: further()})
	more("ask-further-small-dark", "dark", shot{width: 1024, height: 600, question: further()})
	more("ask-details", "light", shot{question: stage.Question(30), keys: tabs(7, "space")})
	more("ask-details-model", "light", shot{question: address(), keys: tabs(7, "space")})
	more("ask-details-model-here", "dark", shot{locale: "en", question: verified(), keys: tabs(7, "space")})
	more("ask-nothing-ticked", "light", shot{question: few(), keys: []string{"Tab", "Tab", "space", "Tab", "space"}})
	more("ask-languages", "light", shot{question: stage.Question(30), keys: tabs(1, "space")})
	more("ask-other-language", "light", shot{question: stage.Question(30), keys: tabs(1, "space", "Down", "space")})
	more("ask-focus-allow", "light", shot{question: stage.Question(30), keys: tabs(9)})
	more("ask-without-wm", "light", shot{question: stage.Question(30), withoutWM: true})
	more("main-without-service", "light", shot{mainWindow: true, withoutService: true})
	for _, look := range []struct{ locale, variant string }{{"pt_BR.UTF-8", "light"}, {"en", "dark"}, {"de_DE.UTF-8", "light"}, {"ja_JP.UTF-8", "dark"}} {
		add := func(what string, set settings, keys ...string) {
			more("settings-"+what+"-"+look.locale[:2]+"-"+look.variant, look.variant, shot{locale: look.locale, settings: &set, keys: keys})
		}
		add("default", settings{})
		add("changed", settings{commands: [][]string{{"settings", "set", "session-insights", "denied"}}}, tabs(5, "Return")...)
		add("enforced", settings{managed: `{"AccessControl": "allowed"}`, recommended: `{"AccessControl": "denied"}`}, tabs(2, "space")...)
		add("unreadable", settings{managed: `{"NoSuchKey": 1}`}, tabs(2, "space")...)
		add("supporter", settings{supporter: true}, tabs(3, "space")...)
		add("stale", settings{managed: `{"AccessControl": "allowed"}`, then: `{"NoSuchKey": 1}`}, tabs(2, "space")...)
		more("activity-empty-"+look.locale[:2]+"-"+look.variant, look.variant, shot{locale: look.locale, activity: true, settings: &settings{}})
		more("activity-many-"+look.locale[:2]+"-"+look.variant, look.variant, shot{locale: look.locale, activity: true, settings: &settings{commands: many(40)}})
		add("recommended", settings{recommended: `{"AccessControl": "denied"}`}, tabs(4)...)
	}
	for _, locale := range []string{"pt_BR.UTF-8", "en", "de_DE.UTF-8", "ja_JP.UTF-8"} {
		for _, variant := range []string{"light", "dark"} {
			name := locale[:2] + "-" + variant
			more("settings-"+name+"-200", variant, shot{locale: locale, settings: &settings{}, scale: "2", width: 2200, height: 1600})
			more("ask-details-"+name, variant, shot{locale: locale, question: stage.Question(30), keys: tabs(7, "space")})
		}
	}
	more("settings-200", "light", shot{settings: &settings{}, scale: "2", width: 2200, height: 1600})
	more("settings-small-screen", "dark", shot{settings: &settings{}, width: 1024, height: 600, keys: tabs(4)})
	more("settings-small-screen-200", "light", shot{settings: &settings{}, scale: "2", width: 1024, height: 600, keys: tabs(6, "space")})
	more("settings-by-gear", "light", shot{mainWindow: true, settings: &settings{}, keys: tabs(2, "Return")})
	more("settings-without-service", "light", shot{settings: &settings{}, withoutService: true})
	return list
}

// twice tries again what a busy computer was too slow for.
func twice(do func() error) error {
	err := do()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screens: once more:", err)
		err = do()
	}
	return err
}

// settings is a real service, set up in one way.
type settings struct {
	managed, recommended string     // policies
	then                 string     // comes into the place of managed when that was in force
	commands             [][]string // of aval
	supporter            bool       // one is connected
}

// serve starts the service and returns its socket.
func (s settings) serve(r *rig.Rig, d *rig.Display) (string, error) {
	agent, err := r.StartAgent("agent")
	if err != nil {
		return "", err
	}
	for folder, text := range map[string]string{"managed": s.managed, "recommended": s.recommended} {
		if text != "" {
			if err := agent.SetPolicy(folder, "example.json", text); err != nil {
				return "", err
			}
		}
	}
	if s.managed+s.recommended != "" {
		err := r.Wait("the policy", 10*time.Second, func() (bool, error) {
			res, err := agent.CLI("policy", "show")
			return err == nil && !strings.HasPrefix(res.Stdout, "policy: none"), err
		})
		if err != nil {
			return "", err
		}
	}
	if s.then != "" {
		if err := agent.SetPolicy("managed", "example.json", s.then); err != nil {
			return "", err
		}
		err := r.Wait("the policy that cannot be read", 10*time.Second, func() (bool, error) {
			res, err := agent.CLI("policy", "show")
			return err == nil && strings.HasPrefix(res.Stdout, "policy: stale"), err
		})
		if err != nil {
			return "", err
		}
	}
	commands := s.commands
	if s.supporter {
		if _, err := agent.StartDesktop(d); err != nil {
			return "", err
		}
		commands = append(commands, []string{"session", "begin", "--tool", "x11vnc", "--id", "1", "--supporter", "Ana Souza", "--desktop", d.Name})
	}
	for _, command := range commands {
		res, err := agent.CLI(command...)
		if err != nil {
			return "", err
		}
		if res.Code != 0 {
			return "", fmt.Errorf("aval %v: status %d: %s", command, res.Code, res.Stderr)
		}
	}
	return agent.Socket, nil
}

// many are sessions that nobody was asked about, one after the other.
func many(n int) (commands [][]string) {
	for i := range n {
		id := fmt.Sprint(i + 1)
		commands = append(commands, []string{"session", "begin", "--tool", "x11vnc", "--id", id, "--supporter", "Ana Souza", "--company", "Example Support"},
			[]string{"session", "end", "--id", "x11vnc/" + id})
	}
	return commands
}

func tabs(n int, more ...string) []string { return append(slices.Repeat([]string{"Tab"}, n), more...) }

func long() ipc.Question {
	q := stage.Question(240)
	q.Supporter = "Maximiliane Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtin"
	q.Companies[0].Name = "Gesellschaft für Informationstechnik und Fernwartungsdienstleistungen Süd"
	q.Companies[0].Verified = false
	q.Companies[0].Readers = "Rechtsschutzversicherungsgesellschaftenabteilung, Datenschutzbeauftragte, Auftragsverarbeitung"
	q.Address = "2001:db8:85a3:1234:5678:8a2e:370:7334"
	q.Tool = "Fernwartungsverbindungsprogramm"
	q.ConnectedAt = time.Now().Add(-95 * time.Minute)
	return q
}

func address() ipc.Question {
	q := stage.Question(30)
	q.Supporter, q.Companies[0].Engine = "203.0.113.7", "qwen2.5-7b-instruct@llm.example.com"
	return q
}

// guest is a company that asks by a session code, for the first time.
func guest() ipc.Question {
	q := stage.Question(30)
	q.Tool, q.Address, q.Supporter, q.SupporterVerified = "support", "", "Ana Souza", true
	q.Companies = []ipc.QuestionCompany{{Name: "Example Support", Host: "support.example.com", Pinned: true, First: true, Engine: "rules", RetentionDays: 90}}
	return q
}

// account is a company in whose account the person is signed in, for the first time.
func account() ipc.Question {
	q := stage.Question(30)
	q.Supporter, q.SupporterVerified = "Ana Souza", false
	q.Companies = []ipc.QuestionCompany{{Name: "Example Support", Host: "support.example.com", Account: true, Pinned: true, First: true, Engine: "rules", RetentionDays: 90}}
	return q
}

func verified() ipc.Question {
	q := stage.Question(30)
	q.SupporterVerified, q.Companies[0].Engine, q.Companies[0].RetentionDays = true, "qwen2.5-7b-instruct@localhost", 1
	q.Tool = "sshd"
	return q
}

func two() ipc.Question {
	q := stage.Question(30)
	q.Companies = append(q.Companies, ipc.QuestionCompany{ID: "c2", Name: "Example Industries", Verified: true, Engine: "rules", RetentionDays: 30})
	return q
}

// further offers an answer for further sessions.
func further() ipc.Question {
	q := stage.Question(30)
	q.AllowMinutes = 120
	return q
}

func few() ipc.Question {
	q := stage.Question(30)
	q.Offered = []event.Group{event.Windows, event.Chat}
	return q
}

func (s shot) take(bin, path string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := rig.New(ctx, bin, s.locale)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := r.Close(); err == nil {
			err = cerr
		}
	}()
	d, err := r.StartXvfb("screen", s.width, s.height)
	if err != nil {
		return err
	}
	if !s.withoutWM {
		if _, err := r.StartWM(d); err != nil {
			return err
		}
	}
	if err := d.Background(0x5B6B73); err != nil {
		return err
	}
	socket := r.Path("run", "agent.sock")
	var st *stage.Stage
	switch {
	case s.settings != nil && !s.withoutService:
		if socket, err = s.settings.serve(r, d); err != nil {
			return err
		}
	case !s.withoutService:
		if st, err = stage.Open(socket, s.question); err != nil {
			return err
		}
		r.Defer(func() { _ = st.Close() })
	}
	c := rig.Cmd{Name: "aval-ui", Path: r.Program("aval-ui"), Args: []string{"--socket", socket},
		Env: r.Env("DISPLAY="+d.Name, "LC_ALL="+s.locale, "FYNE_THEME="+s.variant, "FYNE_SCALE="+s.scale)}
	switch {
	case s.activity:
		c.Args = append([]string{"activity"}, c.Args...)
	case s.settings != nil && !s.mainWindow:
		c.Args = append([]string{"settings"}, c.Args...)
	case !s.mainWindow:
		pipe, err := nonce()
		if err != nil {
			return err
		}
		defer pipe.Close()
		c.Args = append([]string{"consent", "--question", s.question.Question}, c.Args...)
		c.FDs = []*os.File{pipe}
	}
	ui, err := r.Start(c)
	if err != nil {
		return err
	}
	if err := s.wait(r, d, st); err != nil {
		_ = d.SavePicture(path)
		return fmt.Errorf("%w (see %s)\n%s", err, path, ui.Tail())
	}
	for _, key := range s.keys {
		before, err := look(d)
		if err != nil {
			return err
		}
		res, err := r.Run(5*time.Second, rig.Cmd{Name: "xdotool", Path: "xdotool", Args: []string{"key", key}, Env: r.Env("DISPLAY=" + d.Name)})
		if err != nil || res.Code != 0 {
			return fmt.Errorf("press %s: %w", key, err)
		}
		if key == "space" || key == "Return" { // what it opens may take a moment; it may also open nothing
			_ = r.Wait("what the key does", 3*time.Second, func() (bool, error) {
				now, err := look(d)
				return now != before, err
			})
		}
	}
	if s.early {
		return d.SavePicture(path) // it will not be so for long
	}
	return settled(r, d, path)
}

// wait returns when the picture can be taken.
func (s shot) wait(r *rig.Rig, d *rig.Display, st *stage.Stage) error {
	if s.settings != nil && !s.withoutService && !s.mainWindow && !s.activity {
		return s.waitChoices(r, d)
	}
	if s.mainWindow || s.settings != nil {
		if err := painted(r, d, rig.OfUI); err != nil || len(s.keys) == 0 {
			return err
		}
		return still(r, d) // keys before that go nowhere
	}
	q, err := r.WaitQuestion(d, 10*time.Second)
	if err != nil {
		return err
	}
	select {
	case <-st.Shown:
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the window did not report that it is shown")
	}
	if s.early {
		return nil
	}
	fill := assets.Light.Control
	if s.variant == "dark" {
		fill = assets.Dark.Control
	}
	at := image.Pt(q.Rect.Min.X+q.Rect.Dx()/12, q.No.Y) // beside the lettering
	return r.Wait("buttons that count", 5*time.Second, func() (bool, error) {
		now, err := d.Part(q.Rect)
		if err != nil {
			return false, err
		}
		c := now.RGBAAt(at.X, at.Y)
		return near(c.R, fill.R) && near(c.G, fill.G) && near(c.B, fill.B), nil
	})
}

// near tells whether two parts of a colour are the same, as the GPU rounds.
func near(a, b uint8) bool { return max(a, b)-min(a, b) <= 3 }

// waitChoices returns when the settings show what the service said: the only
// thing in their window that is drawn in the colour of edges.
func (s shot) waitChoices(r *rig.Rig, d *rig.Display) error {
	edge := assets.Light.Edge
	if s.variant == "dark" {
		edge = assets.Dark.Edge
	}
	return r.Wait("the choices", 15*time.Second, func() (bool, error) {
		img, err := d.Picture()
		if err != nil {
			return false, err
		}
		n := 0
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				if c := img.RGBAAt(x, y); near(c.R, edge.R) && near(c.G, edge.G) && near(c.B, edge.B) {
					n++
				}
			}
		}
		return n >= 20, nil
	})
}

// settled takes the picture once two in a row show the same, but for the time
// that runs: at most for five seconds.
func settled(r *rig.Rig, d *rig.Display, path string) error {
	if err := still(r, d); err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
	}
	return d.SavePicture(path)
}

func still(r *rig.Rig, d *rig.Display) error {
	last, same := -1, 0
	return r.Wait("a picture that stands still", 5*time.Second, func() (bool, error) {
		sum, err := look(d)
		if err != nil {
			return false, err
		}
		if sum == last {
			same++
		} else {
			same = 0
		}
		last = sum
		return same >= 6, nil
	})
}

// look sums the upper three quarters of the screen up, where no time runs.
func look(d *rig.Display) (int, error) {
	return lookAt(d, image.Rect(0, 0, d.Width, d.Height*3/4))
}

func lookAt(d *rig.Display, place image.Rectangle) (int, error) {
	img, err := d.Part(place)
	if err != nil {
		return 0, err
	}
	sum := 0
	for y := img.Rect.Min.Y; y < img.Rect.Max.Y; y += 3 {
		for x := img.Rect.Min.X; x < img.Rect.Max.X; x += 3 {
			c := img.RGBAAt(x, y)
			sum += int(c.R)*3 + int(c.G)*5 + int(c.B)*7
		}
	}
	return sum, nil
}

// nonce is a pipe that holds the stage's nonce.
func nonce() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	_, err = w.WriteString(stage.Nonce + "\n")
	return r, err
}
