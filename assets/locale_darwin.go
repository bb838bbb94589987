package assets

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
)

var appleTag = regexp.MustCompile(`"([A-Za-z0-9-]+)"|(\b[a-z]{2,3}\b)`)

// locale is the environment where it is set, as in a terminal, else the user's
// list of languages, which programs that launchd starts are not told.
func locale() string {
	if l := posix(os.Getenv); l != "" {
		return l
	}
	out, err := exec.Command("/usr/bin/defaults", "read", "-g", "AppleLanguages").Output()
	if err != nil {
		return ""
	}
	var list []string
	for _, m := range appleTag.FindAllStringSubmatch(string(out), -1) {
		list = append(list, m[1]+m[2])
	}
	return strings.Join(list, ":")
}
