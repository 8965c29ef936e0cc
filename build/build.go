// Package build says how this program was built: its version, and the commit.
package build

import (
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// unreleased is the version of what was built from a working tree.
const unreleased = "dev"

// pseudo is the version that Go makes up for a commit without a tag: its time, and the
// beginning of its name.
var pseudo = regexp.MustCompile(`[-.](\d{14})-([0-9a-f]{12})(\+dirty)?$`)

// Version is the one that go install MODULE@VERSION has built.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if v := ""; ok {
		if v = info.Main.Version; strings.HasPrefix(v, "v") && !pseudo.MatchString(v) && !strings.HasSuffix(v, "+dirty") {
			return v
		}
	}
	return unreleased
}

// A commit is what is known of how this program was built.
type commit struct {
	name     string
	time     time.Time // of the commit
	modified bool
}

// commitOf reads what Go has written into a program: of the version control where it was built
// in a checkout, or else from the version that it was fetched by.
func commitOf(info *debug.BuildInfo) (c commit) {
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			c.name = s.Value
		case "vcs.time":
			c.time, _ = time.Parse(time.RFC3339, s.Value)
		case "vcs.modified":
			c.modified = s.Value == "true"
		}
	}
	if m := pseudo.FindStringSubmatch(info.Main.Version); c.name == "" && m != nil {
		c.name, c.modified = m[2], m[3] != ""
		c.time, _ = time.Parse("20060102150405", m[1])
	}
	return c
}

// String says which commit that was.
func (c commit) String() string {
	if c.name == "" {
		return "commit unknown"
	}
	said := "commit " + c.name[:min(12, len(c.name))]
	if !c.time.IsZero() {
		said += " of " + c.time.UTC().Format(time.DateOnly)
	}
	if c.modified {
		said += " with changes"
	}
	return said
}

// About is the line that says all of it, of a version.
func About(version string) string {
	var c commit
	if info, ok := debug.ReadBuildInfo(); ok {
		c = commitOf(info)
	}
	return fmt.Sprintf("linger %s, %s, %s %s/%s", version, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
