// Reads ahead in mapped files beside the work that needs the bytes. Asking the system for pages
// takes it about as long as copying them (it finds memory for each), so a thread of its own asks;
// it lasts as long as something is left to ask for.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/bytes.h"

namespace bittern {

class ReadAhead {
 public:
  ReadAhead() = default;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // Gives up what has not been asked for.
  ~ReadAhead();

  // Asks for a part of a FileMap to be read from the disk. What is left of the part wanted before
  // is given up, unless this one begins in it or where it ends. Does not wait. Where the first and
  // the last page are in memory nothing is done.
  void want(Bytes part);
  // Returns when all that is wanted has been asked for.
  void wait();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable idle_;
  // Addresses: [next_, end_) is to be asked for, [begin_, next_) has been.
  const std::byte* begin_ = nullptr;
  const std::byte* next_ = nullptr;
  const std::byte* end_ = nullptr;
  bool running_ = false;
  std::thread thread_;  // running, or to be joined
};

}  // namespace bittern
