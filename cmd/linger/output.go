package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"linger/report/formats"
	"linger/report/text"
)

// outputs are where a verb's result goes: a table on standard output, unless
// JSON is wanted there, and the files of -o, each in the format of its ending.
type outputs struct {
	std   streams
	files []output
	table bool
	wide  bool // text shows all there is
}

// An output is one file to write. It is created before the run, so that a name
// that cannot be written is known before anything is measured.
type output struct {
	name, ending string
	file         *os.File // nil where another writes it, packet by packet
	existed      bool
}

// openOutputs reads the values of -o. endings are the formats that the verb knows.
func openOutputs(names []string, json bool, std streams, endings ...string) (*outputs, error) {
	o := &outputs{std: std, table: true}
	if json {
		names = append(names, "-")
	}
	for _, name := range names {
		if name == "-" {
			if o.table {
				o.files = append(o.files, output{name: name, ending: ".json", file: std.out})
			}
			o.table = false
			continue
		}
		ending := strings.ToLower(filepath.Ext(name))
		if !slices.Contains(endings, ending) {
			o.discard()
			return nil, usage("-o %s: the ending says the format; known here: %s", name, strings.Join(endings, " "))
		}
		f := output{name: name, ending: ending}
		err := error(nil)
		if ending == ".pcapng" || ending == ".qlog" || ending == ".har" {
			if o.named(ending) != "" {
				o.discard()
				return nil, usage("-o %s: %s takes the %s already; name one of them", name, o.named(ending), ending)
			}
			err = writable(filepath.Dir(name))
		} else {
			_, missing := os.Stat(name)
			f.existed = missing == nil
			f.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
		}
		if err != nil {
			o.discard()
			return nil, statusError{exitMachine, fmt.Errorf("-o %s: %w; choose a place that can be written", name, err)}
		}
		o.files = append(o.files, f)
	}
	return o, nil
}

// writable reports why no file can be made in a folder.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".linger-*")
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(f.Name()), f.Close())
}

// named returns the first file of that ending, or "".
func (o *outputs) named(ending string) string {
	for _, f := range o.files {
		if f.ending == ending {
			return f.name
		}
	}
	return ""
}

// write has each format written to its places, the table first: what can be
// shown is shown, whatever becomes of the files.
func (o *outputs) write(as func(ending string, w io.Writer) error) error {
	var errs []error
	if o.table {
		errs = append(errs, as(".txt", o.std.out))
	}
	for i := range o.files {
		f := &o.files[i]
		if f.file == nil {
			continue
		}
		var err error
		if info, _ := f.file.Stat(); info != nil && info.Mode().IsRegular() && f.name != "-" {
			err = f.file.Truncate(0)
		}
		if err == nil {
			err = as(f.ending, f.file)
		}
		if f.name != "-" {
			err = errors.Join(err, f.file.Close())
		}
		f.file = nil
		if err != nil {
			errs = append(errs, statusError{exitMachine, fmt.Errorf("-o %s: %w; the result is not in it", f.name, err)})
		}
	}
	return errors.Join(errs...)
}

// take hands over the files of some endings, emptied, to who writes them bit by bit
// and closes them.
func (o *outputs) take(endings ...string) []output {
	var out []output
	for i := range o.files {
		f := &o.files[i]
		if f.file == nil || !slices.Contains(endings, f.ending) {
			continue
		}
		if info, _ := f.file.Stat(); info != nil && info.Mode().IsRegular() && f.name != "-" {
			f.file.Truncate(0) // where it cannot, writing tells why
		}
		out = append(out, *f)
		f.file = nil
	}
	return out
}

// discard takes away what was created and not written.
func (o *outputs) discard() {
	for i := range o.files {
		f := &o.files[i]
		if f.file == nil || f.name == "-" {
			continue
		}
		f.file.Close()
		f.file = nil
		if !f.existed {
			os.Remove(f.name)
		}
	}
}

// layout says how text is laid out for w: in colour or not, and as wide as the terminal,
// or as COLUMNS says where w is none.
func (o *outputs) layout(w io.Writer) text.Options {
	l := text.Options{Color: o.color(w), ASCII: o.ascii(), Version: version, Wide: o.wide}
	if n, err := strconv.Atoi(o.std.env("COLUMNS")); err == nil && n > 0 {
		l.Width = n
	}
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			l.Width = width
		}
	}
	return l
}

// ascii reports whether the user's locale says that there is nothing but ASCII (POSIX,
// XBD 8.2: LC_ALL before LC_CTYPE before LANG). Where none is set, as in containers,
// terminals have more.
func (o *outputs) ascii() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := o.std.env(name); locale != "" {
			return locale == "C" || locale == "POSIX"
		}
	}
	return false
}

// color reports whether w may be given escape codes: a terminal, and a user who
// has not said NO_COLOR.
func (o *outputs) color(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && o.std.env("NO_COLOR") == "" && o.std.env("TERM") != "dumb"
}

// forPrograms are the endings of what every verb writes alike: JUnit, SARIF and
// OpenMetrics.
var forPrograms = []string{".xml", ".sarif", ".prom"}

// programs writes one of those.
func programs(ending string, w io.Writer, r formats.Report) error {
	switch ending {
	case ".xml":
		return formats.JUnit(w, r)
	case ".sarif":
		return formats.SARIF(w, r)
	}
	return formats.OpenMetrics(w, r)
}
