//go:build e2e

package wine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"aval/test/rig"
)

// bin is the folder with the programs: AVAL_BIN, or what make build makes.
var bin = cmp.Or(os.Getenv("AVAL_BIN"), "../../bin")

const (
	installed = `C:\Program Files\Aval\aval.exe`
	within    = 2 * time.Minute // for anything: the computer may be busy
	pictures  = "../../out/wine"
)

// machine is one Windows computer of Wine's, with a screen.
type machine struct {
	*rig.Rig
	t      *testing.T
	prefix string
	screen *rig.Display
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if err := rig.Need("wine", "wineboot", "wineserver", "x86_64-w64-mingw32-gcc", "wixl", "msibuild", "osslsigncode", "openssl", "Xvfb", "openbox"); err != nil {
		t.Fatal(err)
	}
	r, err := rig.New(t.Context(), bin, "en_GB.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{Rig: r, t: t, prefix: r.Path("prefix")}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error("end what was started:", err)
		}
	})
	m.screen, err = r.StartXvfb("screen", 1280, 800)
	m.must(err)
	_, err = r.StartWM(m.screen)
	m.must(err)
	m.run("wineboot", "-i")
	r.Defer(func() { // before the folder goes
		cmd := exec.Command("wineserver", "-k", "-w")
		cmd.Env = m.env()
		_ = cmd.Run()
	})
	m.run("x86_64-w64-mingw32-gcc", "-O2", "-s", "-shared", "-o", m.disk("windows/system32/bcryptprimitives.dll"), "testdata/prng.c", "-ladvapi32")
	// As Windows does, and Wine does not by itself: a library beside a program comes
	// before the system's.
	m.run("wine", "reg", "add", `HKCU\Software\Wine\DllOverrides`, "/v", "opengl32", "/d", "native,builtin", "/f")
	return m
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) env() []string {
	return append(os.Environ(), "WINEPREFIX="+m.prefix, "WINEDEBUG=-all", "DISPLAY="+m.screen.Name, "LIBGL_ALWAYS_SOFTWARE=1", "AVAL_SOCKET=")
}

// disk is a path on the computer's disk.
func (m *machine) disk(path string) string { return filepath.Join(m.prefix, "drive_c", path) }

// try runs a program and returns what it wrote on standard output, and its status.
func (m *machine) try(name string, args ...string) (string, int) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env = m.env()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // what it has started may hold its output open
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		m.t.Fatalf("%s: %v", name, err)
	}
	return out.String() + errs.String(), cmd.ProcessState.ExitCode()
}

func (m *machine) run(name string, args ...string) string {
	m.t.Helper()
	out, status := m.try(name, args...)
	if status != 0 {
		m.t.Fatalf("%s %s: status %d\n%s", name, strings.Join(args, " "), status, out)
	}
	return out
}

// aval runs the installed program.
func (m *machine) aval(args ...string) string {
	m.t.Helper()
	out, _ := m.try("wine", append([]string{installed}, args...)...)
	return out
}

func (m *machine) wait(what string, cond func() (bool, error)) {
	m.t.Helper()
	m.must(m.Wait(what, within, cond))
}

// says waits until a command says something.
func (m *machine) says(part string, args ...string) {
	m.t.Helper()
	m.wait(fmt.Sprintf("aval %s to say %q", strings.Join(args, " "), part), func() (bool, error) {
		out := m.aval(args...)
		return strings.Contains(strings.Join(strings.Fields(out), " "), part), errors.New(out)
	})
}

// window waits for a window and keeps a picture of the screen with it.
func (m *machine) window(title, picture string) rig.Window {
	m.t.Helper()
	w, err := m.screen.WaitWindow(title, within, rig.Titled(title))
	m.must(err)
	m.wait("the content of "+title, func() (bool, error) {
		img, err := m.screen.Part(w.Rect)
		return err == nil && rig.Colours(img, 20) >= 20, err
	})
	m.must(m.screen.SavePicture(filepath.Join(pictures, picture+".png")))
	return w
}

// msiexec runs the installer of Windows; what it logs may hold none of secrets.
func (m *machine) msiexec(secrets []string, args ...string) (status int) {
	m.t.Helper()
	log := m.disk("log.txt")
	_ = os.Remove(log)
	_, status = m.try("wine", append(append([]string{"msiexec"}, args...), "/qn", "/l*v", `C:\log.txt`)...)
	raw, err := os.ReadFile(log)
	m.must(err)
	plain := strings.ReplaceAll(string(raw), "\x00", "")
	for _, s := range secrets {
		if strings.Contains(plain, s) {
			m.t.Errorf("the installer's log has a secret")
		}
	}
	return status
}

// registry is what is below a key; empty: there is no such key.
func (m *machine) registry(key string) string {
	m.t.Helper()
	out, status := m.try("wine", "reg", "query", key, "/s")
	if status != 0 {
		return ""
	}
	return out
}

func (m *machine) has(key string, parts ...string) {
	m.t.Helper()
	got := m.registry(key)
	for _, p := range parts {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), p) {
			m.t.Errorf("%s has no %q:\n%s", key, p, got)
		}
	}
}

// msi builds a signed package of a version.
func (m *machine) msi(version, cert, key string) (path string) {
	m.t.Helper()
	out := m.Path("msi")
	cmd := exec.CommandContext(m.t.Context(), "go", "run", "-trimpath", "./installer/build", "-msi", out, "-wine", "-version", version, "-cert", cert, "-key", key, "-mesa", m.mesa())
	cmd.Dir = "../.."
	if raw, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("build the package: %v\n%s", err, raw)
	}
	return filepath.Join(out, "aval-"+version+"-x64-wine-test.msi")
}

// mesa is a folder with what stands for Mesa's libraries in a package: one for OpenGL
// that gives none. It is made once.
func (m *machine) mesa() string {
	m.t.Helper()
	dir := m.Path("mesa")
	lib := filepath.Join(dir, "opengl32.dll")
	if _, err := os.Stat(lib); err == nil {
		return dir
	}
	m.must(os.MkdirAll(dir, 0o700))
	m.run("x86_64-w64-mingw32-gcc", "-O2", "-s", "-shared", "-o", lib, "testdata/noopengl.c")
	m.copy(filepath.Join(dir, "libgallium_wgl.dll"), lib)
	return dir
}

func (m *machine) copy(to, from string) {
	m.t.Helper()
	raw, err := os.ReadFile(from)
	m.must(err)
	m.must(os.WriteFile(to, raw, 0o700))
}

// windows are the programs with windows that run on this computer now, by their path
// there.
func (m *machine) windows() (out []string) {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	m.must(err)
	for _, env := range all {
		raw, err := os.ReadFile(env)
		if err != nil || !bytes.Contains(raw, []byte("\x00WINEPREFIX="+m.prefix+"\x00")) {
			continue // it has ended, or is another's
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(env), "cmdline"))
		if exe, _, _ := strings.Cut(string(line), "\x00"); strings.HasSuffix(exe, "aval-ui.exe") {
			out = append(out, exe)
		}
	}
	return out
}

// certificate makes one that may sign programs, for this test alone.
func (m *machine) certificate() (cert, key string) {
	m.t.Helper()
	cert, key = m.Path("cert.pem"), m.Path("key.pem")
	m.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Aval test", "-addext", "extendedKeyUsage=codeSigning", "-keyout", key, "-out", cert)
	return cert, key
}

// verified checks the signature of a file, and that one changed byte ends it.
func (m *machine) verified(path, cert string) {
	m.t.Helper()
	check := func(p string) (string, int) {
		return m.try("osslsigncode", "verify", "-CAfile", cert, "-TSA-CAfile", cert, "-in", p)
	}
	if out, status := check(path); status != 0 {
		m.t.Errorf("the signature of %s: %s", filepath.Base(path), out)
	}
	raw, err := os.ReadFile(path)
	m.must(err)
	raw[len(raw)/2] ^= 1
	broken := m.Path("broken" + filepath.Ext(path))
	m.must(os.WriteFile(broken, raw, 0o600))
	if _, status := check(broken); status == 0 {
		m.t.Errorf("%s with one changed bit passes for signed", filepath.Base(path))
	}
}

// key is the id of this computer's key: its data is still there when it is the same.
func (m *machine) key() string {
	m.t.Helper()
	var s struct {
		KeyID string `json:"key_id"`
		Build string `json:"build"`
	}
	if err := json.Unmarshal([]byte(m.aval("status", "--json")), &s); err != nil {
		m.t.Fatal(err)
	}
	return s.KeyID + " " + s.Build
}

// TestPackage is the life of an installation. Planted bugs, each seen caught: the
// conditions of the components left out of installer/build (an empty value makes the
// policy unreadable); the older version removed where wixl has it removed, last (a
// downgrade is taken); the change notice left out of agent/policy/source (the question
// outlives the policy). Not planted, but seen: the copy that draws by software was not there in
// time, the dialog asked, and the test said so.
func TestPackage(t *testing.T) {
	m := newMachine(t)
	summarizer, err := m.StartSummarizer("summarizer", "en")
	m.must(err)
	cert, key := m.certificate()
	first := m.msi("0.1.0", cert, key)
	m.verified(first, cert)

	// What an administrator lays down beside the package.
	token, err := summarizer.FirstStart("enrolment-token")
	m.must(err)
	var secret rig.Token
	m.must(json.Unmarshal([]byte(token), &secret))
	m.must(os.WriteFile(m.disk("token.json"), []byte(token), 0o600))
	m.must(os.WriteFile(m.disk("settings.json"), []byte(`{"QuestionSeconds": 77, "SSHAccounts": ["support"]}`), 0o600))
	began := time.Now()
	if status := m.msiexec([]string{secret.Token}, "/i", first, "SERVERURL="+summarizer.URL, `TOKENFILE=C:\token.json`, `SETTINGSFILE=C:\settings.json`, "ACCESSCONTROL=denied", "LANGUAGE=pt-BR"); status != 0 {
		t.Fatalf("msiexec: status %d", status)
	}
	m.says("is running since", "status")
	t.Logf("from msiexec to a service that answers: %v", time.Since(began).Round(10*time.Millisecond))
	m.verified(m.disk("Program Files/Aval/aval.exe"), cert)
	if !m.inStartMenu() {
		t.Error("there is no entry in the Start menu")
	}

	// The properties became a policy, the token an enrolment, once.
	m.says("AccessControl denied [recommended", "policy", "show")
	m.has(`HKLM\SOFTWARE\Aval\Setup`, "ServerURL REG_SZ "+summarizer.URL, "AccessControl REG_SZ denied", "Language REG_SZ pt-BR")
	m.has(`HKLM\SOFTWARE\Policies\Aval\Recommended`, "QuestionSeconds REG_DWORD 0x4d", "SSHAccounts 1 REG_SZ support", "AccessControl REG_SZ denied", "Languages 1 REG_SZ pt-BR")
	m.says("Example Support", "status")
	if _, err := os.Stat(m.disk("token.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the token file is still there:", err)
	}
	for _, name := range []string{"TokenFile", "SettingsFile"} {
		if strings.Contains(m.registry(`HKLM\SOFTWARE\Aval`), name) {
			t.Errorf("%s is still there", name)
		}
	}

	// The policy is obeyed, and obeyed anew when it changes under the running service.
	m.says("available", "status")
	if out := m.aval("session", "begin", "--tool", "test", "--id", "1", "--supporter", "Ana Souza"); !strings.Contains(out, "denied-by-policy") {
		t.Errorf("under a policy that denies: %s", out)
	}
	m.run("wine", "reg", "add", `HKLM\SOFTWARE\Policies\Aval`, "/v", "AccessControl", "/d", "after-confirmation", "/f")
	m.says("AccessControl after-confirmation [enforced", "policy", "show")
	if out := m.aval("session", "begin", "--tool", "test", "--id", "2", "--supporter", "Ana Souza"); !strings.Contains(out, "must-confirm") {
		t.Fatalf("under a policy that asks: %s", out)
	}
	m.window("Allow a summary", "question")
	m.must(m.screen.SavePicture(filepath.Join(pictures, "question.png")))
	// The question ends with a policy that denies, long before its 77 s are over: the
	// service is told of the change, and asks the registry for nothing meanwhile.
	m.run("wine", "reg", "add", `HKLM\SOFTWARE\Policies\Aval`, "/v", "AccessControl", "/d", "denied", "/f")
	m.must(m.screen.WaitNoWindow("the question that a policy has ended", 40*time.Second, rig.Titled("Allow a summary")))
	m.run("wine", "reg", "add", `HKLM\SOFTWARE\Policies\Aval`, "/v", "AccessControl", "/d", "after-confirmation", "/f")
	m.says("AccessControl after-confirmation [enforced", "policy", "show")
	m.aval("session", "end", "--id", "2")

	// A computer without OpenGL: a library beside the program stands for it, and that
	// of the package, which was made for this test, gives none either. So the system's
	// own dialog asks; a yes of it records, behind the bar.
	const programs = "Program Files/Aval/"
	if got := m.noOpenGL(); got != "" {
		t.Errorf("the package's library was loaded although there is OpenGL: %q", got)
	}
	m.copy(m.disk(programs+"opengl32.dll"), filepath.Join(m.mesa(), "opengl32.dll"))
	m.aval("session", "begin", "--tool", "test", "--id", "3", "--supporter", "Ana Souza")
	dialog := m.window("Allow a summary", "dialog")
	m.allow(dialog)
	m.says("allowed", "session", "list")
	bar, err := m.screen.WaitWindow("the bar", within, func(w rig.Window) bool { return w.Title == "Aval" && w.Rect.Min.Y < 10 })
	m.must(err)
	m.wait("the content of the bar", func() (bool, error) {
		img, err := m.screen.Part(bar.Rect)
		return err == nil && rig.Colours(img, 20) >= 20, err
	})
	m.must(m.screen.SavePicture(filepath.Join(pictures, "bar.png")))
	if got, want := m.noOpenGL(), "C:\\Program Files\\Aval\\aval-ui.exe\nC:\\Program Files\\Aval\\softgl\\aval-ui.exe\n"; got != want {
		t.Errorf("tried were %q", got)
	}
	m.says("rung failed session=test/3 rung=window why=no-opengl", "doctor")
	m.aval("session", "end", "--id", "3")
	m.aval("consent", "withdraw", "test/3", "--delete")
	m.says("test/3 Ana Souza Example Support withdrawn", "consent", "list")

	// Without the package's library the copy is drawn by Wine's own, which plays Mesa.
	m.must(os.Remove(m.disk(programs + "softgl/opengl32.dll")))
	// What is not there within 5 s gives way to the dialog, so on a busy computer it is
	// asked again.
	var shown []string
	for id := 4; id < 8; id++ {
		m.aval("session", "begin", "--tool", "test", "--id", strconv.Itoa(id), "--supporter", "Ana Souza")
		m.window("Allow a summary", "software")
		shown = m.windows()
		m.aval("session", "end", "--id", strconv.Itoa(id))
		m.must(m.screen.WaitNoWindow("the question of a session that has ended", within, rig.Titled("Allow a summary")))
		if len(shown) > 0 {
			break
		}
	}
	if len(shown) != 1 || !strings.Contains(shown[0], `\softgl\aval-ui.exe`) {
		t.Errorf("the question is shown by %q", shown)
	}
	m.must(os.Remove(m.disk(programs + "opengl32.dll")))

	// A repair, which any user may start, takes nothing from whoever starts it, and
	// puts back what is missing.
	m.must(os.WriteFile(m.disk("another.json"), []byte(`{"token": "x"}`), 0o600))
	if status := m.msiexec(nil, "/i", first, "REINSTALL=ALL", "REINSTALLMODE=omus", "ACCESSCONTROL=allowed", "SERVERURL=https://other.example", "LANGUAGE=de", `TOKENFILE=C:\another.json`, `SETTINGSFILE=C:\another.json`); status != 0 {
		t.Errorf("repair: status %d", status)
	}
	m.says("is running since", "status")
	m.has(`HKLM\SOFTWARE\Aval\Setup`, "ServerURL REG_SZ "+summarizer.URL, "AccessControl REG_SZ denied", "Language REG_SZ pt-BR")
	m.has(`HKLM\SOFTWARE\Policies\Aval\Recommended`, "AccessControl REG_SZ denied", "Languages 1 REG_SZ pt-BR")
	for _, path := range []string{"another.json", programs + "softgl/opengl32.dll", programs + "softgl/aval-ui.exe"} {
		if _, err := os.Stat(m.disk(path)); err != nil {
			t.Errorf("after a repair: %v", err)
		}
	}
	if strings.Contains(m.registry(`HKLM\SOFTWARE\Aval`), "another.json") {
		t.Error("a repair took a file from whoever has started it")
	}

	// An upgrade that is told nothing keeps what was told before, and the data.
	identity := m.key()
	second := m.msi("0.2.0", cert, key)
	// But for a file of settings that everybody may write, which is not read.
	m.must(os.WriteFile(m.disk("open.json"), []byte(`{"QuestionSeconds": 11}`), 0o600))
	m.must(os.Chmod(m.disk("open.json"), 0o666))
	if status := m.msiexec(nil, "/i", second, `SETTINGSFILE=C:\open.json`); status != 0 {
		t.Fatalf("upgrade: status %d", status)
	}
	m.says("Aval 0.2.0 is running", "status")
	m.says("others than administrators may change it", "status")
	m.has(`HKLM\SOFTWARE\Aval\Setup`, "ServerURL REG_SZ "+summarizer.URL, "AccessControl REG_SZ denied", "Language REG_SZ pt-BR")
	m.has(`HKLM\SOFTWARE\Policies\Aval\Recommended`, "AccessControl REG_SZ denied", "Languages 1 REG_SZ pt-BR")
	if now := m.key(); now != strings.Replace(identity, "0.1.0", "0.2.0", 1) {
		t.Errorf("it was %q and is %q", identity, now)
	}
	if status := m.msiexec(nil, "/i", first); status == 0 {
		t.Error("a downgrade was taken")
	}
	m.says("Aval 0.2.0 is running", "status")

	// Removed, it leaves nothing but what others have set, and what was not sent: the
	// recording that no proven hand has allowed or deleted waits for the person.
	if status := m.msiexec(nil, "/x", second); status != 0 {
		t.Fatalf("remove: status %d", status)
	}
	left := filepath.Join(m.Path("msi"), "windows", "aval.exe")
	if out, _ := m.try("wine", left, "purge"); !strings.Contains(out, "events wait to be sent") {
		t.Errorf("what was not sent: %s", out)
	}
	m.run("wine", left, "purge", "--unsent")
	for _, path := range []string{"Program Files/Aval", "ProgramData/Aval"} {
		if _, err := os.Stat(m.disk(path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	if m.inStartMenu() {
		t.Error("the entry in the Start menu is still there")
	}
	for _, key := range []string{`HKLM\SOFTWARE\Aval`, `HKLM\SOFTWARE\Policies\Aval\Recommended`, `HKLM\SYSTEM\CurrentControlSet\Services\aval`, `HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Aval`} {
		if left := m.registry(key); left != "" {
			t.Errorf("%s is still there:\n%s", key, left)
		}
	}
	m.has(`HKLM\SOFTWARE\Policies\Aval`, "AccessControl REG_SZ after-confirmation") // the administrator's own
}

// inStartMenu tells whether there is an entry. Wine puts it into its user's menu, also
// for an installation for all.
func (m *machine) inStartMenu() bool {
	all, err := filepath.Glob(m.disk("users/*/AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Aval.lnk"))
	m.must(err)
	return len(all) == 1
}

// noOpenGL are the programs that have loaded the library for tests, a line for each.
func (m *machine) noOpenGL() string {
	raw, _ := os.ReadFile(m.disk("noopengl.txt")) // none has
	return strings.ReplaceAll(string(raw), "\r", "")
}

// allow presses the button at the right of the dialog, once an answer is believed:
// one that comes within 1.5 s is not (docs/who-answered.md).
func (m *machine) allow(w rig.Window) {
	m.t.Helper()
	<-time.After(3 * time.Second)
	m.must(m.screen.Click(image.Pt(w.Rect.Max.X-85, w.Rect.Max.Y-32), xproto.ButtonIndex1))
}
