package logs

import (
	"os"
	"path/filepath"

	"linger/keepalive"
)

// Configuration reads a server's configuration from a file, and from the files that it includes.
func Configuration(name string) (keepalive.Configuration, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return keepalive.Configuration{}, err
	}
	return keepalive.ReadConfiguration(name, text, func(pattern string) (map[string][]byte, error) {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(name), pattern)
		}
		names, err := filepath.Glob(pattern)
		files := map[string][]byte{}
		for _, name := range names {
			if files[name], err = os.ReadFile(name); err != nil {
				return nil, err
			}
		}
		return files, err
	})
}
