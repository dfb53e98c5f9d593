package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// picture is a file, whether it is one the server will say.
type picture struct {
	path string
	data []byte
}

// read gives the files of a folder in the order of their names.
func read(folder string) ([]picture, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("%s is not a folder", folder)
	}
	var pictures []picture
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		pictures = append(pictures, picture{path, data})
	}
	if len(pictures) == 0 {
		return nil, fmt.Errorf("there are no files in %s", folder)
	}
	return pictures, nil
}

// writer makes a folder, and gives what writes results into it: JPEG, whatever the pictures were.
func writer(folder string) (func(picture, result) error, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("cannot make the folder %s: %w", folder, err)
	}
	return func(picture picture, result result) error {
		name := filepath.Base(picture.path)
		if extension := strings.ToLower(filepath.Ext(name)); extension != ".jpg" && extension != ".jpeg" {
			name += ".jpg"
		}
		return os.WriteFile(filepath.Join(folder, name), result.data, 0o666)
	}, nil
}
