package console

import (
	"cmp"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"linger/fault"
	"linger/legible"
	"linger/report/text"
	"linger/whole"
)

// Wanted is what a user asks to have written: the values of -o, with --json and --wide.
type Wanted struct {
	Files  []string
	JSON   bool
	Wide   bool // text shows all there is
	NoText bool // no text goes to standard output, even if nothing else does
}

// Outputs are where a verb's result goes: text on standard output, unless JSON is wanted there,
// and the files of -o, each in the format of its ending.
type Outputs struct {
	Std   Streams
	files []Output
	text  bool
	wide  bool
}

// An Output is one place to write to. Whether a file can be written is known before
// anything is measured; it is made when there is something to write, and replaces what
// was there when it is whole.
type Output struct {
	// Ending says the format: .json, .txt.
	Ending string
	name   string
	file   *whole.File // nil for standard output
	gate   *legible.Writer
	taken  bool // another writes it
}

// Open finds out where the result may go. endings are the formats that the verb knows.
func Open(std Streams, want Wanted, endings ...string) (*Outputs, error) {
	o := &Outputs{Std: std, text: !want.NoText, wide: want.Wide}
	names := want.Files
	if want.JSON {
		names = append(slices.Clip(names), standardOutput)
	}
	for _, name := range names {
		if name == standardOutput {
			if !slices.ContainsFunc(o.files, func(f Output) bool { return f.name == standardOutput }) {
				o.files = append(o.files, Output{name: name, Ending: ".json"})
			}
			o.text = false
			continue
		}
		f, err := o.check(name, endings)
		if err != nil {
			return nil, err
		}
		o.files = append(o.files, f)
	}
	return o, nil
}

// standardOutput is what -o calls it.
const standardOutput = "-"

// check reports why a file cannot be written.
func (o *Outputs) check(name string, endings []string) (Output, error) {
	f := Output{name: name, Ending: strings.ToLower(filepath.Ext(name))}
	if !slices.Contains(endings, f.Ending) {
		return f, fault.Usage("-o %s: the ending says the format; known here: %s", name, strings.Join(endings, " "))
	}
	for _, other := range o.files {
		if other.name != standardOutput && whole.Same(other.name, name) {
			return f, fault.Usage("-o %s and -o %s are one file, and each would replace it; name two", other.name, name)
		}
	}
	if f.taken = slices.Contains(takers, f.Ending); f.taken && o.Named(f.Ending) != "" {
		return f, fault.Usage("-o %s: %s takes the %s already; name one of them", name, o.Named(f.Ending), f.Ending)
	}
	created := name
	if f.Ending == series {
		created = strings.TrimSuffix(name, filepath.Ext(name)) + ".0" + series
	}
	if err := whole.Check(created); err != nil {
		return f, fault.Machine("-o %s: %w; choose a place that can be written", name, err)
	}
	return f, nil
}

// takers are the endings of what is written packet by packet, or a trial at a time, by who
// asks for the name.
var takers = []string{".pcapng", series, ".har"}

// series is the ending of which NAME.qlog stands for several files, NAME.0.qlog and so on.
const series = ".qlog"

// Named returns the first file of that ending, or "".
func (o *Outputs) Named(ending string) string {
	for _, f := range o.files {
		if f.Ending == ending {
			return f.name
		}
	}
	return ""
}

// Any reports whether a file of one of those endings is asked for; without endings, any at all.
func (o *Outputs) Any(endings ...string) bool {
	return slices.ContainsFunc(o.files, func(f Output) bool { return len(endings) == 0 || slices.Contains(endings, f.Ending) })
}

// Write has each format written to its places, the table first: what can be
// shown is shown, whatever becomes of the files.
func (o *Outputs) Write(as func(ending string, w io.Writer) error) error {
	var errs []error
	if o.text {
		errs = append(errs, as(".txt", o.Std.Out))
	}
	for i := range o.files {
		f := &o.files[i]
		if f.taken {
			continue
		}
		err := f.open(o.Std)
		if err == nil {
			err = as(f.Ending, f)
		}
		errs = append(errs, f.End(err))
	}
	return errors.Join(errs...)
}

// Take hands over the files of some endings to who writes them bit by bit, and ends them.
func (o *Outputs) Take(endings ...string) ([]*Output, error) {
	var out []*Output
	for i := range o.files {
		f := &o.files[i]
		if f.taken || !slices.Contains(endings, f.Ending) {
			continue
		}
		f.taken = true
		if err := f.open(o.Std); err != nil {
			return out, f.End(err)
		}
		out = append(out, f)
	}
	return out, nil
}

// open begins to write.
func (f *Output) open(std Streams) (err error) {
	to := io.Writer(std.Out)
	if f.name != standardOutput {
		if f.file, err = whole.Create(f.name); err != nil {
			return err
		}
		if f.file.InPlace() {
			std.Note("-o %s: no other file can be made beside it, so it is written in place, and an error would leave it cut", f.name)
		}
		to = f.file
	}
	f.gate = legible.NewWriter(to, legible.KindOf(f.Ending))
	return nil
}

// Write writes what is fit for the format.
func (f *Output) Write(p []byte) (int, error) { return f.gate.Write(p) }

// End puts the file where it belongs, or takes it away where there was an error, which it
// returns as of this file. What has been ended stays as it is.
func (f *Output) End(err error) error {
	if f.gate != nil {
		err = cmp.Or(err, f.gate.Flush())
	}
	f.gate = nil
	if f.file != nil {
		if err == nil {
			err = f.file.Commit()
		}
		f.file.Discard() // does nothing to what is committed
	}
	return Unwritten(f.name, f.file, err)
}

// Unwritten says of an error what has become of the file that it is about; nil is standard
// output.
func Unwritten(name string, f *whole.File, err error) error {
	if err == nil {
		return nil
	}
	left := "the result is not whole there"
	switch {
	case f == nil:
	case f.Old():
		left = "it is as it was before"
	case f.Beside():
		left = "it was not written"
	}
	return fault.Machine("-o %s: %w; %s", name, err, left)
}

// Ended reports whether the file is where it belongs, or has been given up.
func (f *Output) Ended() bool { return f.gate == nil }

// Discard takes away what was begun and not ended.
func (o *Outputs) Discard() {
	for _, f := range o.files {
		if f.file != nil {
			f.file.Discard()
		}
	}
}

// Layout says how text is laid out for w.
func (o *Outputs) Layout(w io.Writer) text.Options {
	l := o.Std.Layout(w)
	l.Wide = o.wide
	return l
}
