// Reads ahead in mapped files beside the work that needs the bytes. Asking the system for pages
// takes it about as long as copying them (it finds memory for each), so a thread of its own asks;
// it lasts as long as something is left to ask for. Of a file that is unmapped meanwhile it asks
// for nothing more.
#pragma once

#include <memory>
#include <mutex>
#include <thread>

#include "base/file_map.h"

namespace bittern {

class ReadAhead {
 public:
  ReadAhead() = default;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // Gives up what has not been asked for.
  ~ReadAhead();

  // Asks for a part of the file to be read from the disk. What is left of the part wanted before is
  // given up, unless this one begins in it or where it ends. Does not wait. Where the first and the
  // last page are in memory nothing is done.
  void want(const FileMap& file, Bytes part);

 private:
  void loop();

  std::mutex mutex_;
  std::weak_ptr<const void> mapping_;  // of the file that the addresses are in
  // [next_, end_) is to be asked for, [begin_, next_) has been.
  const std::byte* begin_ = nullptr;
  const std::byte* next_ = nullptr;
  const std::byte* end_ = nullptr;
  bool running_ = false;
  std::thread thread_;  // running, or to be joined
};

}  // namespace bittern
