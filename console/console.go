// Package console is where the words of a verb go: standard output and error as a user sees
// them, files that replace what was there when they are whole, and what moves on a terminal while
// something lasts. It knows no verb and no result.
//
// A verb gets its Streams from main. It says what must not wait by Note and Fail, opens what it is
// asked to write by Open before it measures anything, and hands its result to Outputs.Write, which
// asks for each format once. A Bar, a Pulse or a Reading shows how far it has come. What it is to
// read it opens by OpenInput, which gives way when the user ends the program.
//
// Nothing here reads arguments or the environment: files and variables are handed in. Errors have
// a kind of package fault.
package console

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"linger/legible"
	"linger/report/terminal"
	"linger/report/text"
)

// A Writer is standard output or standard error. Whatever is written to it is legible: what is
// foreign in it moves no cursor. On a terminal colours pass.
type Writer struct {
	*legible.Writer
	// File is for what must pass as it is: what moves, what other programs write.
	File *os.File
}

func writerOf(f *os.File) Writer {
	kind := legible.Plain
	if IsTerminal(f) {
		kind = legible.Painted
	}
	return Writer{legible.NewWriter(f, kind), f}
}

// Fd is the file's, for who asks whether it is a terminal.
func (w Writer) Fd() uintptr { return w.File.Fd() }

// IsTerminal reports whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Streams are the process's own ends, handed to every verb.
type Streams struct {
	In       *os.File
	Out, Err Writer
	Env      func(string) string
	Version  string // of this program, for what is written
	Quiet    bool   // nothing is noted
}

// New returns streams over files.
func New(in, out, err *os.File, env func(string) string, version string) Streams {
	return Streams{In: in, Out: writerOf(out), Err: writerOf(err), Env: env, Version: version}
}

// Note says something in a line on standard error, whatever is in it, unless that is to be
// quiet.
func (s Streams) Note(format string, args ...any) {
	if !s.Quiet {
		s.Fail(fmt.Errorf(format, args...))
	}
}

// Fail says an error, in the same way, quiet or not.
func (s Streams) Fail(err error) {
	fmt.Fprintf(s.Err, "linger: %s\n", legible.Note(err.Error()))
}

// Quote shows on standard error what another program wrote, each line behind a mark.
func (s Streams) Quote(mark, output string) {
	for line := range strings.Lines(output) {
		if line = legible.Note(line); line != "" {
			fmt.Fprintf(s.Err, "%s%s\n", mark, line)
		}
	}
}

// Layout says how text is laid out for w: in colour or not, and as wide as the terminal, or as
// COLUMNS says where w is none.
func (s Streams) Layout(w io.Writer) text.Options {
	l := text.Options{Screen: terminal.Screen{Color: s.color(w), ASCII: s.ascii()}, Version: s.Version}
	if n, err := strconv.Atoi(s.Env("COLUMNS")); err == nil && n > 0 {
		l.Width = n
	}
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			l.Width = width
		}
	}
	return l
}

// ascii reports whether the user's locale says that there is nothing but ASCII (POSIX,
// XBD 8.2: LC_ALL before LC_CTYPE before LANG). Where none is set, as in containers,
// terminals have more.
func (s Streams) ascii() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := s.Env(name); locale != "" {
			return locale == "C" || locale == "POSIX"
		}
	}
	return false
}

// color reports whether w may be given escape codes: a terminal, and a user who
// has not said NO_COLOR.
func (s Streams) color(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && s.Env("NO_COLOR") == "" && s.moving()
}

// moving reports whether terminals here can do more than print lines.
func (s Streams) moving() bool { return s.Env("TERM") != "dumb" }
