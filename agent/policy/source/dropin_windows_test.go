package source

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// TestSafeFile: a file that everybody may change, or that has no rights at all, is
// refused, and one of the administrators alone is read. Planted once: the rights not
// looked at, only the owner.
func TestSafeFile(t *testing.T) {
	self, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	own := "O:" + self.User.Sid.String()
	for sddl, ok := range map[string]bool{
		own + "D:P(A;;FA;;;SY)(A;;FA;;;BA)":                   true,
		own + "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;WD)":       true,
		own + "D:P(A;;FA;;;" + self.User.Sid.String() + ")":   true,
		own + "D:P(A;;FA;;;SY)(D;;FA;;;WD)":                   true,
		own + "D:P(A;;FA;;;SY)(A;IO;FA;;;WD)":                 true,
		own + "D:P(A;;FA;;;SY)(A;;FA;;;WD)":                   false,
		own + "D:P(A;;FA;;;SY)(A;;FW;;;BU)":                   false,
		own + "D:P(A;;FA;;;SY)(A;;SD;;;AU)":                   false,
		own + "D:P(A;;FA;;;SY)(A;;WD;;;IU)":                   false,
		own + "D:P(A;;FA;;;SY)(A;;0x2;;;S-1-5-21-1-2-3-1001)": false,
		own:                                    false,
		"O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;SY)": false,
		"O:BAD:P(A;;FA;;;BA)":                  true,
		"O:SYD:P(A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)": true,
	} {
		sd, err := windows.SecurityDescriptorFromString(sddl)
		if err != nil {
			t.Fatalf("%s: %v", sddl, err)
		}
		if err := closed(sd); (err == nil) != ok {
			t.Errorf("%s: %v", sddl, err)
		}
	}

	// The same by the file system.
	f, err := os.CreateTemp("", "aval-token-") // Wine cannot remove t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	path := f.Name()
	defer os.Remove(path)
	if _, err := f.WriteString("{}"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	set := func(sddl string) {
		sd, err := windows.SecurityDescriptorFromString(sddl)
		if err != nil {
			t.Fatal(err)
		}
		acl, _, err := sd.DACL()
		if err != nil {
			t.Fatal(err)
		}
		if err := windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, acl, nil); err != nil {
			t.Fatal(err)
		}
	}
	set("D:P(A;;FA;;;" + self.User.Sid.String() + ")")
	if raw, err := ReadSafe(path, 100); err != nil || string(raw) != "{}" {
		t.Errorf("%q, %v", raw, err)
	}
	if _, err := ReadSafe(path, 1); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("too large: %v", err)
	}
	set("D:P(A;;FA;;;" + self.User.Sid.String() + ")(A;;FA;;;WD)")
	if _, err := ReadSafe(path, 100); err == nil || !strings.Contains(err.Error(), "%ProgramFiles%") {
		t.Errorf("everybody may change it: %v", err)
	}
}
