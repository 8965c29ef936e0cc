package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"linger/internal/testall"
)

var writeTutorials = flag.Bool("tutorials", false, "write what commands of docs/tutorials say anew")

// tutorialsDir is where the tutorials are.
const tutorialsDir = "../../docs/tutorials"

// A lesson is a block of commands of a tutorial. A block in sh is typed by the reader, and what it
// says is not shown; one in console has lines that begin with "$ ", and what they say behind them.
type lesson struct {
	line      int
	commands  string
	shown     string // what the commands say, both streams; "" is not shown
	status    int
	holds     []*regexp.Regexp // what must be said, with one space for each run of white space
	from, end int              // the lines that are shown
}

var fence = regexp.MustCompile("^```(sh|console|)$")

// lessons are the blocks of a document. A comment behind a block says what must hold of it:
//
//	<!-- holds
//	status 1
//	Reused: 50 % of 8 requests
//	-->
//
// A line is a regular expression, "status N" is how the last command ends.
func lessons(lines []string) (out []lesson, err error) {
	open, at := "", 0
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := fence.FindStringSubmatch(line); m != nil && open == "" {
			open, at = m[1], i
			continue
		}
		if line == "```" && open != "" {
			l := lesson{line: at + 1, from: i, end: i}
			for j := at + 1; j < i; j++ {
				command, is := strings.CutPrefix(lines[j], "$ ")
				switch {
				case open == "sh":
					l.commands += lines[j] + "\n"
				case is:
					l.commands += command + "\n"
					for ; strings.HasSuffix(lines[j], "\\"); j++ {
						l.commands += lines[j+1] + "\n"
					}
					l.from = j + 1
				default:
					l.shown += lines[j] + "\n"
				}
			}
			out, open = append(out, l), ""
			continue
		}
		if line != "<!-- holds" || len(out) == 0 {
			continue
		}
		last := &out[len(out)-1]
		for i++; i < len(lines) && lines[i] != "-->"; i++ {
			if n, _ := fmt.Sscanf(lines[i], "status %d", &last.status); n == 1 {
				continue
			}
			r, err := regexp.Compile(lines[i])
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			last.holds = append(last.holds, r)
		}
	}
	return out, nil
}

// flat has one space for each run of white space: lines break by how long times are.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// do runs the commands of a block in a folder, and returns what they said.
func (l lesson) do(t testing.TB, dir, path string) (said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", l.commands)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path, "COLUMNS=80")
	out, err := cmd.CombinedOutput()
	status := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if status != l.status {
		t.Errorf("line %d: %s\nstatus %d, want %d:\n%s", l.line, l.commands, status, l.status, out)
	}
	return strings.TrimRight(string(out), "\n") + "\n"
}

// TestTutorials does what each tutorial says, and holds what is said against what must hold: counts,
// causes, verdicts, and no times. What is shown must say the same.
//
//	LINGER_TEST_ALL=1 go test ./cmd/linger -run TestTutorials -tutorials
//
// writes anew what is shown.
func TestTutorials(t *testing.T) {
	files, err := filepath.Glob(tutorialsDir + "/[a-z]*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tutorials: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".md"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			all, err := lessons(lines)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range all {
				for _, r := range l.holds {
					if !*writeTutorials && !r.MatchString(flat(l.shown)) {
						t.Errorf("line %d shows nothing like %q", l.line, r)
					}
				}
			}
			testall.Long(t, "half a minute of real time")
			needLab(t)
			t.Parallel()
			follow(t, all, lines, file)
		})
	}
}

// follow does what a tutorial says, block by block.
func follow(t *testing.T, all []lesson, lines []string, file string) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := testall.OpenDir(t), testall.OpenDir(t)
	if err := os.WriteFile(filepath.Join(bin, "linger"), []byte("#!/bin/sh\nexec '"+exe+"' linger \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := bin + ":" + os.Getenv("PATH") + ":/usr/sbin"
	for _, l := range all {
		for _, program := range []string{"nginx", "curl", "python3", "ss", "node"} {
			if regexp.MustCompile(`\b`+program+`\b`).MatchString(l.commands) && testall.Located(program) == "" {
				testall.Lacks(t, "%s is not installed", program)
			}
		}
	}
	shown := make([]string, len(all))
	// Pauses have to be as long as they are said to be, within some hundredths of a second.
	testall.InTime(t, 25*time.Millisecond, func(a *testall.Attempt) {
		for i, l := range all {
			shown[i] = l.do(a, dir, path)
			for _, r := range l.holds {
				if !r.MatchString(flat(shown[i])) {
					a.Errorf("line %d: %s\ndoes not say %q:\n%s", l.line, l.commands, r, shown[i])
				}
			}
		}
	})
	if !*writeTutorials || t.Failed() {
		return
	}
	for i := len(all) - 1; i >= 0; i-- {
		if l := all[i]; l.shown != "" {
			said := strings.Split(strings.TrimRight(shown[i], "\n"), "\n")
			lines = append(lines[:l.from:l.from], append(said, lines[l.end:]...)...)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
