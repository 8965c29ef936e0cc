package console

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"os"

	"linger/fault"
)

// standardInput is what messages call it.
const standardInput = "standard input"

// An Input is what the user has named to be read. What is no regular file, a FIFO, a pipe or
// a terminal, is somebody else's to write, who may never come, or never end: neither its
// opening nor its reading outlasts the context.
type Input struct {
	Name string
	Info fs.FileInfo
	file *os.File
	ctx  context.Context // nil where reads cannot block
	room []byte          // of reads in the background
	rest []byte          // of what was read there
	err  error           // that ended the reading, but for its end
}

// OpenInput opens a file by its name; - is stdin, unless that is nil.
func OpenInput(ctx context.Context, name string, stdin *os.File) (*Input, error) {
	in := &Input{Name: name, ctx: ctx}
	if name == "-" && stdin != nil {
		in.Name, in.file = standardInput, stdin
	} else if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() || info.IsDir() {
		in.ctx = nil
		if in.file, err = os.Open(name); err != nil {
			return nil, err
		}
	} else if in.file, err = await(ctx, func() (*os.File, error) { return os.Open(name) }); err != nil {
		return nil, err
	}
	var err error
	if in.Info, err = in.file.Stat(); err != nil {
		in.Close()
		return nil, err
	}
	if in.Info.Mode().IsRegular() {
		in.ctx = nil
	}
	return in, nil
}

// At reads anywhere in the file, of so many bytes; nil where it is not a regular one.
func (in *Input) At() (io.ReaderAt, int64) {
	if !in.Info.Mode().IsRegular() {
		return nil, 0
	}
	return in.file, in.Info.Size()
}

// await does what nobody can end who waits for it, and leaves it alone when ctx ends: so
// does the process soon after.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		got T
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := do()
		done <- result{got, err}
	}()
	select {
	case r := <-done:
		return r.got, r.err
	case <-ctx.Done():
		var none T
		return none, fault.ErrInterrupted
	}
}

// Read implements io.Reader.
func (in *Input) Read(p []byte) (n int, err error) {
	if n, err = in.read(p); err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// Because is why the input is not what it was taken for: it could not be read, or else err.
func (in *Input) Because(err error) error { return cmp.Or(in.err, err) }

func (in *Input) read(p []byte) (int, error) {
	if in.ctx == nil {
		return in.file.Read(p)
	}
	if len(in.rest) == 0 {
		if err := fault.Stopped(in.ctx); err != nil {
			return 0, err
		}
		if in.room == nil {
			in.room = make([]byte, 64<<10) // what a pipe of Linux holds
		}
		n, err := await(in.ctx, func() (int, error) { return in.file.Read(in.room) })
		if n == 0 {
			return 0, err
		}
		in.rest = in.room[:n] // an error comes again with the next read
	}
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

// Close closes the file, unless it is the process's own.
func (in *Input) Close() error {
	if in.Name == standardInput {
		return nil
	}
	return in.file.Close()
}

var _ io.ReadCloser = (*Input)(nil)
