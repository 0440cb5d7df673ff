// dlib's frontal faces, called as its documentation does: the whole picture, grey, at its full resolution. Each line on stdin is the path of a JPEG; it is
// answered with its faces, the surest first: [[left, top, width, height, confidence], …]. With the file of a landmark model as argument, each face goes on with x and
// y of its landmarks, which dlib rounds.
#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_processing/shape_predictor.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <jpeglib.h>

static void decode(const std::vector<unsigned char>& file, dlib::array2d<unsigned char>& grey) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), file.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_GRAYSCALE;
  jpeg_start_decompress(&info);
  grey.set_size(info.output_height, info.output_width);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = &grey[info.output_scanline][0];
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
}

int main(int argc, char** argv) {
  dlib::shape_predictor landmarks;
  if (argc > 1) dlib::deserialize(argv[1]) >> landmarks;
  dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
  dlib::array2d<unsigned char> grey;
  std::vector<dlib::rect_detection> faces;
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream in(path, std::ios::binary);
    decode({std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}, grey);
    detector(grey, faces);
    const char* comma = "";
    std::printf("[");
    for (const dlib::rect_detection& face : faces) {
      const dlib::rectangle& box = face.rect;
      std::printf("%s[%ld,%ld,%lu,%lu,%.9g", comma, box.left(), box.top(), box.width(), box.height(), face.detection_confidence);
      if (argc > 1) {
        const dlib::full_object_detection shape = landmarks(grey, box);
        for (unsigned long i = 0; i < shape.num_parts(); i++) std::printf(",%ld,%ld", shape.part(i).x(), shape.part(i).y());
      }
      std::printf("]");
      comma = ",";
    }
    std::printf("]\n");
    std::fflush(stdout);
  }
}
