//go:build e2e

package wine

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// TestUpgrade: an upgrade that is given nothing keeps what the installation before it
// was given, what its settings file said, a token file that could not be read yet, and
// this computer's key, although nothing waits to be sent, so that a removal would have
// taken all of it; one that is given something changes that alone. The removal, then,
// leaves nothing. Planted once each: no Remove in the Upgrade table of installer/build
// (Wine says nothing else of an upgrade: the older version purges), and no Keep actions.
func TestUpgrade(t *testing.T) {
	m := newMachine(t)
	cert, key := m.certificate()
	m.must(os.WriteFile(m.disk("settings.json"), []byte(`{"QuestionSeconds": 77, "SSHAccounts": ["support"]}`), 0o600))
	const late = `C:\late.json` // what management has not laid down yet
	if status := m.msiexec(nil, "/i", m.msi("0.1.0", cert, key), "SERVERURL=https://aval.example.com", "TOKENFILE="+late, `SETTINGSFILE=C:\settings.json`, "ACCESSCONTROL=denied", "LANGUAGE=pt-BR"); status != 0 {
		t.Fatalf("msiexec: status %d", status)
	}
	m.says("is running since", "status")
	m.says("QuestionSeconds 77 [recommended", "policy", "show")
	before := m.key()

	second := m.msi("0.2.0", cert, key)
	if status := m.msiexec(nil, "/i", second); status != 0 {
		t.Fatalf("upgrade: status %d", status)
	}
	m.says("Aval 0.2.0 is running", "status")
	if now := m.key(); now != strings.Replace(before, "0.1.0", "0.2.0", 1) {
		t.Errorf("it was %q and is %q", before, now)
	}
	m.has(`HKLM\SOFTWARE\Aval\Setup`, "ServerURL REG_SZ https://aval.example.com", "TokenFile REG_SZ "+late, "AccessControl REG_SZ denied", "Language REG_SZ pt-BR")
	m.has(`HKLM\SOFTWARE\Policies\Aval\Recommended`, "QuestionSeconds REG_DWORD 0x4d", "SSHAccounts 1 REG_SZ support", "AccessControl REG_SZ denied", "Languages 1 REG_SZ pt-BR")
	m.says("QuestionSeconds 77 [recommended", "policy", "show")
	if n := strings.Count(m.registry(`HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`), "UninstallString"); n != 1 {
		t.Errorf("%d versions are installed", n)
	}

	third := m.msi("0.3.0", cert, key)
	if status := m.msiexec(nil, "/i", third, "ACCESSCONTROL=after-confirmation"); status != 0 {
		t.Fatalf("another upgrade: status %d", status)
	}
	m.says("Aval 0.3.0 is running", "status")
	m.has(`HKLM\SOFTWARE\Aval\Setup`, "ServerURL REG_SZ https://aval.example.com", "AccessControl REG_SZ after-confirmation", "Language REG_SZ pt-BR")
	m.has(`HKLM\SOFTWARE\Policies\Aval\Recommended`, "QuestionSeconds REG_DWORD 0x4d", "AccessControl REG_SZ after-confirmation", "Languages 1 REG_SZ pt-BR")
	if now := m.key(); now != strings.Replace(before, "0.1.0", "0.3.0", 1) {
		t.Errorf("it was %q and is %q", before, now)
	}

	if status := m.msiexec(nil, "/x", third); status != 0 {
		t.Fatalf("remove: status %d", status)
	}
	for _, path := range []string{"Program Files/Aval", "ProgramData/Aval"} {
		if _, err := os.Stat(m.disk(path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for _, key := range []string{`HKLM\SOFTWARE\Aval`, `HKLM\SOFTWARE\Policies\Aval`, `HKLM\SYSTEM\CurrentControlSet\Services\aval`} {
		if left := m.registry(key); left != "" {
			t.Errorf("%s is still there:\n%s", key, left)
		}
	}
}
