// Package whole writes files that replace what was there only when they are whole: what
// is written stands beside its destination under another name until it is committed. An
// error, a full disk or an interrupt leaves the old file as it was.
//
// Devices, pipes and sockets are written to as they are. Of a symbolic link the file is
// replaced that it leads to. A file in a folder in which no other can be made is written
// in place.
package whole

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is one that is being written.
type File struct {
	file *os.File
	// name is what is replaced: the file itself, not a link to it.
	name string
	// beside reports that file is under another name until it is committed; otherwise it
	// is what was there before.
	beside bool
	before fs.FileInfo // what is replaced, nil if nothing
	mode   fs.FileMode
	ended  bool
}

// Modes of what is new, less what the umask takes. Of what is replaced, Open keeps the mode.
const (
	open   = 0o666
	secret = 0o600
)

// Create begins a file under a name. Its mode is that of what it replaces.
func Create(name string) (*File, error) { return create(name, open) }

// CreateSecret is Create for what nobody but the owner may read, whoever might read what
// it replaces.
func CreateSecret(name string) (*File, error) { return create(name, secret) }

// Write has a file written that create begins, and puts it where it belongs when it is whole.
func Write(name string, create func(string) (*File, error), write func(io.Writer) error) error {
	f, err := create(name)
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
}

// WriteString writes a file of that content.
func WriteString(name, content string) error {
	return Write(name, Create, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

// Check reports why a file cannot be created under a name. It leaves nothing behind, and
// touches nothing that is not a regular file.
func Check(name string) error {
	if name, before, err := destination(name); err != nil || before != nil && !before.Mode().IsRegular() {
		if err == nil && before.IsDir() {
			err = &fs.PathError{Op: "open", Path: name, Err: errors.New("is a folder")}
		}
		return err
	}
	f, err := Create(name)
	if err != nil {
		return err
	}
	return f.Discard()
}

// Same reports whether two names are of one file, which is not a device or a pipe: written
// twice, it would hold what was written last.
func Same(a, b string) bool {
	a, ofA, errA := destination(a)
	b, ofB, errB := destination(b)
	switch {
	case errA != nil || errB != nil:
		return false
	case ofA != nil && ofB != nil:
		return ofA.Mode().IsRegular() && os.SameFile(ofA, ofB)
	}
	return ofA == nil && ofB == nil && a == b
}

// mostLinks is how many links lead to a file at most, as Linux has it.
const mostLinks = 40

// destination is what a name leads to, also where there is nothing yet, and what is there,
// if anything.
func destination(name string) (string, fs.FileInfo, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return name, nil, err
	}
	for range mostLinks {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// The folder may be reached by several names, the file is not there yet.
			if folder, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
				name = filepath.Join(folder, filepath.Base(name))
			}
			return name, nil, nil
		case err != nil:
			return name, nil, err
		case info.Mode()&fs.ModeSymlink == 0:
			return name, info, nil
		}
		// /dev/stdout leads to /proc/self/fd/1, whose target need not be a name.
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return name, info, nil
		}
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return name, nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many links")}
}

func create(name string, mode fs.FileMode) (*File, error) {
	name, before, err := destination(name)
	if err != nil {
		return nil, err
	}
	f := &File{name: name, before: before, mode: mode}
	if before != nil && !before.Mode().IsRegular() {
		f.file, err = os.OpenFile(name, os.O_WRONLY, 0)
		return f, err
	}
	if before != nil {
		// What may not be written may not be replaced either, though the folder lets it.
		old, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		old.Close()
	}
	f.beside = true
	f.file, err = besides(name, mode)
	if before != nil && (errors.Is(err, fs.ErrPermission) || readOnly(err)) {
		f.beside = false
		f.file, err = os.OpenFile(name, os.O_WRONLY, 0)
	}
	if err != nil {
		// Not the other name, which nobody has asked for.
		if path := new(fs.PathError); errors.As(err, &path) {
			err = &fs.PathError{Op: "open", Path: name, Err: path.Err}
		}
		return nil, err
	}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, f.Discard())
	}
	return f, nil
}

// besides creates a file in the folder of another.
func besides(name string, mode fs.FileMode) (*os.File, error) {
	for n := 0; ; n++ {
		other := filepath.Join(filepath.Dir(name), fmt.Sprintf(".linger-%d-%d", os.Getpid(), n))
		f, err := os.OpenFile(other, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// prepare gives the new file the owner and the mode of what it replaces.
func (f *File) prepare() error {
	switch {
	case !f.beside:
		if err := f.file.Truncate(0); err != nil {
			return err
		}
		if f.mode == secret {
			return f.file.Chmod(secret)
		}
	case f.before != nil:
		own(f.file, f.before) // where it cannot, it is who writes it
		if f.mode == open {
			f.file.Chmod(f.before.Mode().Perm()) // some file systems have no modes
		}
	}
	return nil
}

// Beside reports that nothing stands under the name that was not there before, until this
// file is whole; Old that something was, and stays until then.
func (f *File) Beside() bool { return f.beside }

// Old is described at Beside.
func (f *File) Old() bool { return f.beside && f.before != nil }

// InPlace reports that the old file is gone already: no other could be made beside it.
func (f *File) InPlace() bool { return !f.beside && f.before.Mode().IsRegular() }

// Write writes to the file; what is there under its name stays as it was.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, f.named(err)
}

// Commit closes the file and puts it where it belongs. If it cannot, what was there
// before stays.
func (f *File) Commit() error {
	if f.ended {
		return nil
	}
	f.ended = true
	var err error
	if f.beside {
		// A rename may reach the disk before what it names (rename(2), ext4 and others).
		err = f.file.Sync()
	}
	err = errors.Join(err, f.file.Close())
	if !f.beside {
		return f.named(err)
	}
	if err == nil {
		err = os.Rename(f.file.Name(), f.name)
	}
	if err != nil {
		os.Remove(f.file.Name())
	}
	return f.named(err)
}

// Discard closes the file and takes it away, if it has not been committed.
func (f *File) Discard() error {
	if f.ended {
		return nil
	}
	f.ended = true
	err := f.file.Close()
	if f.beside {
		err = errors.Join(err, os.Remove(f.file.Name()))
	}
	return f.named(err)
}

// named is an error of the file under the name that it will have.
func (f *File) named(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return &fs.PathError{Op: path.Op, Path: f.name, Err: path.Err}
	case errors.As(err, &link):
		return &fs.PathError{Op: "replace", Path: f.name, Err: link.Err}
	}
	return err
}

// OS is the file that is written, for who needs a descriptor of it.
func (f *File) OS() *os.File { return f.file }
